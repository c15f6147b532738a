package clients

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/test/harness"
	"github.com/leveretmq/leveret/test/harness/client"
)

// TestTutorialsPika runs RabbitMQ's six tutorials in Python.
func TestTutorialsPika(t *testing.T) {
	t.Parallel()
	need(t, "python3-pika", python, "/usr/lib/python3/dist-packages/pika")
	script{
		command: []string{python, "pika/tutorials.py", harness.Start(t).URL()},
		steps:   []string{"hello_world", "work_queues", "publish_subscribe", "routing", "topics", "rpc"},
	}.run(t)
}

// TestTutorials runs the same six in Go, sender and receiver on connections of
// their own.
func TestTutorials(t *testing.T) {
	t.Parallel()
	url := harness.Start(t).URL()
	for _, tutorial := range []struct {
		name string
		run  func(t *testing.T, url string)
	}{
		{"hello world", helloWorld},
		{"work queues", workQueues},
		{"publish/subscribe", publishSubscribe},
		{"routing", routing},
		{"topics", topics},
		{"rpc", rpc},
	} {
		t.Run(tutorial.name, func(t *testing.T) { tutorial.run(t, url) })
	}
}

func helloWorld(t *testing.T, url string) {
	sender, receiver := client.Open(t, url), client.Open(t, url)
	sender.Declare("hello", false, nil)
	sender.Send("", "hello", amqp.Publishing{Body: []byte("Hello World!")})
	receiver.Declare("hello", false, nil)
	if got := client.Bodies(client.Take(t, receiver.Deliveries("hello", true), 1)); got != "Hello World!" {
		t.Errorf("received %q", got)
	}
}

func workQueues(t *testing.T, url string) {
	sender := client.Open(t, url)
	sender.Declare("task_queue", true, nil)
	done := make(chan string)
	for _, worker := range []string{"first", "second"} {
		channel := client.Open(t, url)
		channel.Prefetch(1)
		tasks := channel.Deliveries("task_queue", false)
		go func() { // ends with its channel
			for task := range tasks {
				done <- worker + " did " + string(task.Body)
				_ = task.Ack(false) // fails only when the test has ended
			}
		}()
	}
	for n := range 10 {
		sender.Send("", "task_queue", amqp.Publishing{DeliveryMode: amqp.Persistent, Body: fmt.Appendf(nil, "task %d", n)})
	}
	count, tasks := map[string]int{}, []string{}
	for range 10 {
		select {
		case report := <-done:
			worker, task, _ := strings.Cut(report, " did ")
			count[worker]++
			tasks = append(tasks, task)
		case <-time.After(client.Patience):
			t.Fatalf("only %d tasks were done", len(tasks))
		}
	}
	slices.Sort(tasks)
	if len(slices.Compact(tasks)) != 10 || count["first"] == 0 || count["second"] == 0 {
		t.Errorf("tasks %q, shared as %v", tasks, count)
	}
}

func publishSubscribe(t *testing.T, url string) {
	sender := client.Open(t, url)
	sender.Exchange("logs", amqp.ExchangeFanout)
	var subscribers []<-chan amqp.Delivery
	for range 3 {
		receiver := client.Open(t, url)
		subscribers = append(subscribers, receiver.Deliveries(receiver.Temporary("logs", ""), true))
	}
	sender.Send("logs", "", amqp.Publishing{Body: []byte("info: Hello World!")})
	for _, s := range subscribers {
		if got := client.Bodies(client.Take(t, s, 1)); got != "info: Hello World!" {
			t.Errorf("received %q", got)
		}
	}
}

func routing(t *testing.T, url string) {
	sender, receiver := client.Open(t, url), client.Open(t, url)
	sender.Exchange("logs_direct", amqp.ExchangeDirect)
	logs := receiver.Deliveries(receiver.Temporary("logs_direct", "warning", "error"), true)
	for _, severity := range []string{"info", "warning", "info", "error"} {
		sender.Send("logs_direct", severity, amqp.Publishing{Body: []byte(severity + "!")})
	}
	if got := client.Bodies(client.Take(t, logs, 2)); got != "warning! error!" {
		t.Errorf("received %q", got)
	}
	client.Nothing(t, logs)
}

func topics(t *testing.T, url string) {
	sender, receiver := client.Open(t, url), client.Open(t, url)
	sender.Exchange("logs_topic", amqp.ExchangeTopic)
	logs := receiver.Deliveries(receiver.Temporary("logs_topic", "kern.*", "*.critical", "anonymous.#"), true)
	for _, key := range []string{"kern.info", "cron.info", "cron.critical", "kern.critical", "anonymous", "anonymous.a.b"} {
		sender.Send("logs_topic", key, amqp.Publishing{Body: []byte(key)})
	}
	if got := client.Bodies(client.Take(t, logs, 5)); got != "kern.info cron.critical kern.critical anonymous anonymous.a.b" {
		t.Errorf("received %q", got)
	}
	client.Nothing(t, logs)
}

func rpc(t *testing.T, url string) {
	server := client.Open(t, url)
	server.Declare("rpc_queue", false, nil)
	calls := server.Deliveries("rpc_queue", false)
	go func() { // ends with its channel
		for call := range calls {
			n, _ := strconv.Atoi(string(call.Body))
			answer := amqp.Publishing{CorrelationId: call.CorrelationId, Body: strconv.AppendInt(nil, int64(n*n), 10)}
			_ = server.PublishWithContext(context.Background(), "", call.ReplyTo, false, false, answer)
			_ = call.Ack(false) // both fail only when the test has ended
		}
	}()
	for name, replyTo := range map[string]string{"own queue": "", "direct reply-to": "amq.rabbitmq.reply-to"} {
		caller := client.Open(t, url)
		if replyTo == "" {
			replyTo = caller.Temporary("")
		}
		answers := caller.Deliveries(replyTo, true)
		caller.Send("", "rpc_queue", amqp.Publishing{ReplyTo: replyTo, CorrelationId: name, Body: []byte("12")})
		answer := client.Take(t, answers, 1)[0]
		if string(answer.Body) != "144" || answer.CorrelationId != name {
			t.Errorf("%s: answer %q to %q", name, answer.Body, answer.CorrelationId)
		}
	}
}
