package clients

import (
	"testing"

	"github.com/leveretmq/leveret/test/harness"
)

// python is Debian's, which has Debian's packages; another one may come first
// in PATH.
const python = "/usr/bin/python3"

// steps is what each client does: declare a durable queue, publish persistent
// messages and wait for their confirms, consume with prefetch and acks, reject
// with and without requeue, get an unroutable message returned, and, after a
// restart of the broker that it notices, find its durable messages again.
var steps = []string{"declare", "publish", "consume", "reject", "return", "closed", "reconnect"}

// TestClients runs the same steps with the client libraries of several
// languages.
func TestClients(t *testing.T) {
	clients := []struct {
		name    string
		debian  string   // the package that brings it
		files   []string // what must be there
		command []string // the broker's URL is added
	}{
		{"pika", "python3-pika", []string{python, "/usr/lib/python3/dist-packages/pika"}, []string{python, "pika/client.py"}},
		{"kombu", "python3-celery", []string{python, "/usr/lib/python3/dist-packages/kombu"}, []string{python, "kombu/client.py"}},
		{"php-amqplib", "php-amqplib", []string{"/usr/bin/php", "/usr/share/php/PhpAmqpLib"}, []string{"/usr/bin/php", "php/client.php"}},
		{"bunny", "ruby-bunny", []string{"/usr/bin/ruby", "/usr/share/rubygems-integration/all/specifications/bunny-2.19.0.gemspec"}, []string{"/usr/bin/ruby", "bunny/client.rb"}},
		{"amqplib", "nodejs", []string{"node", "node/node_modules/amqplib"}, []string{"node", "node/client.js"}},
		{"java", "librabbitmq-client-java", []string{"java", "/usr/share/java/amqp-client.jar"}, []string{"java", "-cp", "/usr/share/java/amqp-client.jar:/usr/share/java/slf4j-api.jar:/usr/share/java/slf4j-nop.jar", "java/Client.java"}},
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			need(t, c.debian, c.files...)
			broker := harness.Start(t)
			script{
				command: append(c.command, broker.URL()),
				steps:   steps,
				answers: map[string]func(){"restart": broker.Restart},
			}.run(t)
		})
	}
}
