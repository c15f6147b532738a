package broker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

// What an operator does, with the keys and headers that RabbitMQ 3.10.8 has
// sent for the same calls.
func TestOperatorEvents(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		b := s.b
		must := func(errs ...error) {
			t.Helper()
			for _, err := range errs {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		must(b.EnableEvents("/"))
		declareQueue(t, s, "events")
		bind(t, s, eventExchange, "events", "#")
		received(t, s, "events")
		ctx := Acting(t.Context(), "ann")
		secret, other := "secret", "other"
		_, err := b.PutUser(ctx, UserOptions{Name: "bob", Password: &secret, Tags: []string{"management"}})
		must(err)
		_, err = b.PutUser(t.Context(), UserOptions{Name: "bob", Password: &other, Tags: []string{"management"}})
		must(err, b.SetUserTags(ctx, "bob", []string{"management", "policymaker"}), b.SetUserLimits(ctx, "bob", json.RawMessage(`{"max-channels":5}`)),
			b.ClearUserLimit(ctx, "bob", ""), b.ClearPassword(ctx, "bob"))
		_, err = b.PutVHost(ctx, VHostOptions{Name: "vx", Description: "d"})
		must(err, b.SetVHostLimits(ctx, "vx", json.RawMessage(`{"max-queues":5}`)), b.ClearVHostLimit(ctx, "vx", ""))
		_, err = b.PutPermission(ctx, meta.Permission{User: "bob", VHost: "vx", Configure: "a", Write: "b", Read: "c"})
		must(err)
		_, err = b.PutTopicPermission(ctx, meta.TopicPermission{User: "bob", VHost: "vx", Exchange: "amq.topic", Write: "b", Read: "c"})
		must(err)
		pol := meta.PolicyName{VHost: "vx", Name: "pol"}
		_, err = b.PutPolicy(ctx, meta.Policy{PolicyName: pol, Pattern: "^a", ApplyTo: "queues", Definition: json.RawMessage(`{"max-length":5}`)})
		must(err, b.DeletePolicy(ctx, pol), b.DeletePermission(ctx, "vx", "bob"), b.DeleteTopicPermissions(ctx, "vx", "bob", nil), b.DeleteUser(ctx, "bob"))
		_, err = b.PutGlobalParameter(ctx, meta.GlobalParameter{Name: "g", Value: json.RawMessage(`{"a":[1,"x"]}`)})
		must(err, b.DeleteGlobalParameter(ctx, "g"), b.DeleteVHost(ctx, "vx"))
		b.SetAlarm("memory", true)
		b.SetAlarm("memory", false)
		got := received(t, s, "events")
		made := strings.Repeat("exchange.created ", len(predeclared))
		gone := strings.Repeat("exchange.deleted ", len(predeclared))
		want := "user.created user.tags.set user.password.changed user.tags.set user.limits.set user.limits.cleared user.password.cleared " +
			"vhost.created " + made + "vhost.limits.set vhost.limits.cleared permission.created topic.permission.created policy.set policy.cleared " +
			"permission.deleted topic.permission.deleted user.deleted parameter.set parameter.cleared " + gone + "vhost.deleted alarm.set alarm.cleared"
		if keysIn(got) != want {
			t.Fatalf("events\n%s, want\n%s", keysIn(got), want)
		}
		checkOperatorEvents(t, got)
	})
}

func checkOperatorEvents(t *testing.T, got []notice) {
	t.Helper()
	ann := text("user_who_performed_action", "ann")
	for key, want := range map[string]wire.Table{
		"user.created":             {text("name", "bob"), ann},
		"user.password.changed":    {text("name", "bob"), text("user_who_performed_action", internalUser)},
		"user.limits.set":          {text("name", "limits"), text("username", "bob"), {Name: "max-channels", Value: int64(5)}, ann},
		"vhost.limits.set":         {text("name", "limits"), text("vhost", "vx"), {Name: "max-queues", Value: int64(5)}, ann},
		"permission.created":       {text("user", "bob"), text("vhost", "vx"), text("configure", "a"), text("write", "b"), text("read", "c"), ann},
		"permission.deleted":       {text("user", "bob"), text("vhost", "vx"), ann},
		"topic.permission.created": {text("user", "bob"), text("vhost", "vx"), text("exchange", "amq.topic"), text("write", "b"), text("read", "c"), ann},
		"policy.set": {text("name", "pol"), text("vhost", "vx"), text("pattern", "^a"), text("apply-to", "queues"), {Name: "priority", Value: int64(0)},
			{Name: "definition", Value: wire.Table{{Name: "max-length", Value: int64(5)}}}, ann},
		"parameter.set": {text("name", "g"), {Name: "value", Value: wire.Table{{Name: "a", Value: wire.Array{int64(1), "x"}}}}, ann},
		"vhost.deleted": {text("name", "vx"), ann},
	} {
		i := slices.IndexFunc(got, func(n notice) bool { return n.key == key })
		h := slices.DeleteFunc(slices.Clone(got[i].props.Headers), func(f wire.Field) bool { return f.Name == "timestamp_in_ms" })
		if fmt.Sprint(h) != fmt.Sprint(want) {
			t.Errorf("%s:\n%v, want\n%v", key, h, want)
		}
	}
}
