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
)

// patience is how long a test waits for something that must come.
const patience = 10 * time.Second

// TestTutorialsPika runs RabbitMQ's six tutorials in Python.
func TestTutorialsPika(t *testing.T) {
	need(t, "python3-pika", python, "/usr/lib/python3/dist-packages/pika")
	script{
		command: []string{python, "pika/tutorials.py", harness.Start(t).URL()},
		steps:   []string{"hello_world", "work_queues", "publish_subscribe", "routing", "topics", "rpc"},
	}.run(t)
}

// TestTutorials runs the same six in Go, sender and receiver on connections of
// their own.
func TestTutorials(t *testing.T) {
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
	sender, receiver := openChannel(t, url), openChannel(t, url)
	declare(t, sender, "hello", false)
	send(t, sender, "", "hello", amqp.Publishing{Body: []byte("Hello World!")})
	declare(t, receiver, "hello", false)
	if got := bodies(take(t, consume(t, receiver, "hello", true), 1)); got != "Hello World!" {
		t.Errorf("received %q", got)
	}
}

func workQueues(t *testing.T, url string) {
	sender := openChannel(t, url)
	declare(t, sender, "task_queue", true)
	done := make(chan string)
	for _, worker := range []string{"first", "second"} {
		channel := openChannel(t, url)
		if err := channel.Qos(1, 0, false); err != nil {
			t.Fatal(err)
		}
		tasks := consume(t, channel, "task_queue", false)
		go func() { // ends with its channel
			for task := range tasks {
				done <- worker + " did " + string(task.Body)
				_ = task.Ack(false) // fails only when the test has ended
			}
		}()
	}
	for n := range 10 {
		send(t, sender, "", "task_queue", amqp.Publishing{DeliveryMode: amqp.Persistent, Body: fmt.Appendf(nil, "task %d", n)})
	}
	count, tasks := map[string]int{}, []string{}
	for range 10 {
		select {
		case report := <-done:
			worker, task, _ := strings.Cut(report, " did ")
			count[worker]++
			tasks = append(tasks, task)
		case <-time.After(patience):
			t.Fatalf("only %d tasks were done", len(tasks))
		}
	}
	slices.Sort(tasks)
	if len(slices.Compact(tasks)) != 10 || count["first"] == 0 || count["second"] == 0 {
		t.Errorf("tasks %q, shared as %v", tasks, count)
	}
}

func publishSubscribe(t *testing.T, url string) {
	sender := openChannel(t, url)
	exchange(t, sender, "logs", amqp.ExchangeFanout)
	var subscribers []<-chan amqp.Delivery
	for range 3 {
		receiver := openChannel(t, url)
		subscribers = append(subscribers, consume(t, receiver, temporaryQueue(t, receiver, "logs", ""), true))
	}
	send(t, sender, "logs", "", amqp.Publishing{Body: []byte("info: Hello World!")})
	for _, s := range subscribers {
		if got := bodies(take(t, s, 1)); got != "info: Hello World!" {
			t.Errorf("received %q", got)
		}
	}
}

func routing(t *testing.T, url string) {
	sender, receiver := openChannel(t, url), openChannel(t, url)
	exchange(t, sender, "logs_direct", amqp.ExchangeDirect)
	logs := consume(t, receiver, temporaryQueue(t, receiver, "logs_direct", "warning", "error"), true)
	for _, severity := range []string{"info", "warning", "info", "error"} {
		send(t, sender, "logs_direct", severity, amqp.Publishing{Body: []byte(severity + "!")})
	}
	if got := bodies(take(t, logs, 2)); got != "warning! error!" {
		t.Errorf("received %q", got)
	}
	nothing(t, logs)
}

func topics(t *testing.T, url string) {
	sender, receiver := openChannel(t, url), openChannel(t, url)
	exchange(t, sender, "logs_topic", amqp.ExchangeTopic)
	logs := consume(t, receiver, temporaryQueue(t, receiver, "logs_topic", "kern.*", "*.critical", "anonymous.#"), true)
	for _, key := range []string{"kern.info", "cron.info", "cron.critical", "kern.critical", "anonymous", "anonymous.a.b"} {
		send(t, sender, "logs_topic", key, amqp.Publishing{Body: []byte(key)})
	}
	if got := bodies(take(t, logs, 5)); got != "kern.info cron.critical kern.critical anonymous anonymous.a.b" {
		t.Errorf("received %q", got)
	}
	nothing(t, logs)
}

func rpc(t *testing.T, url string) {
	server := openChannel(t, url)
	declare(t, server, "rpc_queue", false)
	calls := consume(t, server, "rpc_queue", false)
	go func() { // ends with its channel
		for call := range calls {
			n, _ := strconv.Atoi(string(call.Body))
			answer := amqp.Publishing{CorrelationId: call.CorrelationId, Body: strconv.AppendInt(nil, int64(n*n), 10)}
			_ = server.PublishWithContext(context.Background(), "", call.ReplyTo, false, false, answer)
			_ = call.Ack(false) // both fail only when the test has ended
		}
	}()
	for name, replyTo := range map[string]string{"own queue": "", "direct reply-to": "amq.rabbitmq.reply-to"} {
		client := openChannel(t, url)
		if replyTo == "" {
			replyTo = temporaryQueue(t, client, "")
		}
		answers := consume(t, client, replyTo, true)
		send(t, client, "", "rpc_queue", amqp.Publishing{ReplyTo: replyTo, CorrelationId: name, Body: []byte("12")})
		answer := take(t, answers, 1)[0]
		if string(answer.Body) != "144" || answer.CorrelationId != name {
			t.Errorf("%s: answer %q to %q", name, answer.Body, answer.CorrelationId)
		}
	}
}
