import com.rabbitmq.client.*;
import java.util.concurrent.*;

/** The common steps with the Java client, which recovers connection, channel and consumer by itself after the restart. */
public class Client {
    static final String QUEUE = "java.work";

    public static void main(String[] args) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(args[0]);
        factory.setNetworkRecoveryInterval(200);
        Connection connection = factory.newConnection();
        Channel channel = connection.createChannel();
        channel.confirmSelect();

        channel.queueDeclare(QUEUE, true, false, false, null);
        check(channel.messageCount(QUEUE) == 0, "the new queue is not empty");
        ok("declare");

        for (int n = 0; n < 20; n++) publish(channel, QUEUE, "m" + n);
        channel.waitForConfirmsOrDie(10_000);
        check(channel.messageCount(QUEUE) == 20, "20 messages published, " + channel.messageCount(QUEUE) + " there");
        ok("publish");

        BlockingQueue<Delivery> got = new LinkedBlockingQueue<>();
        channel.basicQos(5);
        String tag = channel.basicConsume(QUEUE, false, consumer(channel, got));
        Thread.sleep(500);
        check(got.size() == 5, got.size() + " deliveries with prefetch 5");
        for (int n = 0; n < 20; n++) channel.basicAck(expect(got, "m" + n).getEnvelope().getDeliveryTag(), false);
        channel.basicCancel(tag);
        ok("consume");

        publish(channel, QUEUE, "again");
        channel.waitForConfirmsOrDie(10_000);
        GetResponse message = channel.basicGet(QUEUE, false);
        check(!message.getEnvelope().isRedeliver(), "redelivered at the first delivery");
        channel.basicReject(message.getEnvelope().getDeliveryTag(), true);
        message = channel.basicGet(QUEUE, false);
        check(message.getEnvelope().isRedeliver(), "not redelivered after a requeue");
        channel.basicNack(message.getEnvelope().getDeliveryTag(), false, false);
        check(channel.basicGet(QUEUE, true) == null, "a rejected message came back");
        ok("reject");

        BlockingQueue<String> returned = new LinkedBlockingQueue<>();
        channel.addReturnListener((code, text, exchange, key, properties, body) -> returned.add(code + " " + new String(body)));
        publish(channel, "java.no-such-queue", "nowhere");
        check("312 nowhere".equals(returned.poll(10, TimeUnit.SECONDS)), "an unroutable message was not returned");
        ok("return");

        for (int n = 0; n < 10; n++) publish(channel, QUEUE, "kept" + n);
        channel.waitForConfirmsOrDie(10_000);
        CountDownLatch recovered = new CountDownLatch(1);
        ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
            public void handleRecovery(Recoverable recoverable) { recovered.countDown(); }
            public void handleRecoveryStarted(Recoverable recoverable) { }
        });
        System.out.println("restart");
        System.in.read();
        check(recovered.await(20, TimeUnit.SECONDS), "the connection did not recover");
        ok("closed");
        channel.basicConsume(QUEUE, false, consumer(channel, got));
        for (int n = 0; n < 10; n++) channel.basicAck(expect(got, "kept" + n).getEnvelope().getDeliveryTag(), false);
        channel.queueDelete(QUEUE);
        connection.close();
        ok("reconnect");
    }

    static void publish(Channel channel, String key, String body) throws Exception {
        AMQP.BasicProperties persistent = new AMQP.BasicProperties.Builder().deliveryMode(2).messageId(body).build();
        channel.basicPublish("", key, true, persistent, body.getBytes());
    }

    static Consumer consumer(Channel channel, BlockingQueue<Delivery> got) {
        return new DefaultConsumer(channel) {
            @Override public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
                got.add(new Delivery(envelope, properties, body));
            }
        };
    }

    static Delivery expect(BlockingQueue<Delivery> got, String body) throws Exception {
        Delivery delivery = got.poll(10, TimeUnit.SECONDS);
        check(delivery != null, body + " did not come");
        check(new String(delivery.getBody()).equals(body), new String(delivery.getBody()) + " instead of " + body);
        check(body.equals(delivery.getProperties().getMessageId()), "message id lost");
        return delivery;
    }

    static void check(boolean condition, String what) {
        if (!condition) throw new IllegalStateException(what);
    }

    static void ok(String step) {
        System.out.println("ok " + step);
    }
}
