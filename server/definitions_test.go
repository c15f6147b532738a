package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/server"
)

const definitions = `{"vhosts":[{"name":"shop"}],
	"users":[{"name":"alice","password":"s3cret","tags":"administrator"}],
	"permissions":[{"user":"alice","vhost":"shop","configure":".*","write":".*","read":".*"}],
	"queues":[{"name":"orders","vhost":"shop","durable":true,"auto_delete":false,"arguments":{}}]}`

// TestDefinitions: they are there when the first client comes, in the place of
// guest and /, and Reload brings what was added.
func TestDefinitions(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("10.json", definitions)
	put("README", "not a definition")
	s := start(t, server.Options{DataDir: t.TempDir(), Definitions: dir})
	shop := "amqp://alice:s3cret@" + s.Addr() + "/shop"
	c, err := client.Dial(shop)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclarePassive("orders", true, false, false, false, nil); err != nil {
		t.Error(err)
	}
	if err := login(s.URL()); code(err) != client.AccessRefused {
		t.Errorf("guest: %v, want 403", err)
	}
	put("20.json", `{"users":[{"name":"bob","password":"b","tags":""}],"permissions":[{"user":"bob","vhost":"shop","configure":"","write":"","read":""}]}`)
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := login("amqp://bob:b@" + s.Addr() + "/shop"); err != nil {
		t.Errorf("after the reload: %v", err)
	}
	put("30.json", `{"users":[{}]}`)
	if err := s.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "30.json") {
		t.Errorf("a reload of a bad file: %v", err)
	}
}

func TestDefinitionsThatAreNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(file, []byte("[}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:           "x.json",
		file + ".none": "load_definitions invalid, file does not exist or cannot be read by the node",
	} {
		if s, err := server.Start(t.Context(), server.Options{Definitions: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
			if s != nil {
				s.Shutdown(t.Context())
			}
		}
	}
}
