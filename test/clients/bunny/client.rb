# The common steps with Bunny, which recovers its connection, channel and
# consumer by itself after the restart.
require "bunny"
require "timeout"

QUEUE = "bunny.work"

def ok(step)
  puts "ok #{step}"
  $stdout.flush
end

def check(condition, what)
  raise what unless condition
end

connection = Bunny.new(ARGV[0], network_recovery_interval: 0.2, recover_from_connection_close: true, log_level: :fatal)
connection.start
channel = connection.create_channel
channel.confirm_select
queue = channel.queue(QUEUE, durable: true)
check queue.message_count.zero?, "the new queue is not empty"
ok "declare"

20.times { |n| queue.publish("m#{n}", persistent: true, message_id: "m#{n}") }
check channel.wait_for_confirms, "not all publishes were confirmed"
check queue.message_count == 20, "#{queue.message_count} messages in the queue"
ok "publish"

got = Queue.new
channel.prefetch(5)
consumer = queue.subscribe(manual_ack: true) { |info, properties, body| got << [info, properties, body] }
sleep 0.5
check got.size == 5, "#{got.size} deliveries with prefetch 5"
20.times do |n|
  info, properties, body = Timeout.timeout(10) { got.pop }
  check body == "m#{n}" && properties.message_id == body, "#{body} instead of m#{n}"
  channel.ack(info.delivery_tag)
end
consumer.cancel
ok "consume"

queue.publish("again", persistent: true)
channel.wait_for_confirms
info, = queue.pop(manual_ack: true)
check !info.redelivered?, "redelivered at the first delivery"
channel.reject(info.delivery_tag, true)
info, _, body = queue.pop(manual_ack: true)
check body == "again" && info.redelivered?, "not redelivered after a requeue"
channel.nack(info.delivery_tag, false, false)
check queue.pop.first.nil?, "a rejected message came back"
ok "reject"

returned = Queue.new
exchange = channel.default_exchange
exchange.on_return { |info, _, body| returned << [info.reply_code, body] }
exchange.publish("nowhere", routing_key: "bunny.no-such-queue", mandatory: true)
check Timeout.timeout(10) { returned.pop } == [312, "nowhere"], "another return than expected"
ok "return"

10.times { |n| queue.publish("kept#{n}", persistent: true) }
check channel.wait_for_confirms, "not all publishes were confirmed"
recovered = Queue.new
connection.after_recovery_completed { recovered << true }
puts "restart"
$stdout.flush
$stdin.gets
Timeout.timeout(20) { recovered.pop }
ok "closed"
kept = Queue.new
queue.subscribe(manual_ack: true) { |info, _, body| kept << body; channel.ack(info.delivery_tag) }
10.times { |n| check Timeout.timeout(10) { kept.pop } == "kept#{n}", "kept#{n} is lost" }
queue.delete
connection.close
ok "reconnect"
