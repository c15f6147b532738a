<?php
// The common steps with php-amqplib.
require '/usr/share/php/PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPExceptionInterface;
use PhpAmqpLib\Message\AMQPMessage;

const QUEUE = 'php.work';

function connect(): array {
    global $argv;
    $url = parse_url($argv[1]);
    $connection = new AMQPStreamConnection($url['host'], $url['port'], $url['user'], $url['pass']);
    $channel = $connection->channel();
    $channel->confirm_select();
    return [$connection, $channel];
}

function publish($channel, string $body, string $key = QUEUE): void {
    $persistent = ['delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT, 'message_id' => $body];
    $channel->basic_publish(new AMQPMessage($body, $persistent), '', $key, true);
}

function check(bool $true, string $what): void {
    if (!$true) {
        throw new RuntimeException($what);
    }
}

function ok(string $step): void {
    echo "ok $step\n";
}

[$connection, $channel] = connect();
$channel->queue_declare(QUEUE, false, true, false, false);
check($channel->queue_declare(QUEUE, true)[1] === 0, 'the new queue is not empty');
ok('declare');

$confirmed = 0;
$channel->set_ack_handler(function () use (&$confirmed) { $confirmed++; });
for ($n = 0; $n < 20; $n++) {
    publish($channel, "m$n");
}
$channel->wait_for_pending_acks_returns(10);
check($confirmed === 20, "$confirmed of 20 publishes confirmed");
ok('publish');

$got = [];
$channel->basic_qos(0, 5, false);
$tag = $channel->basic_consume(QUEUE, '', false, false, false, false, function ($m) use (&$got) { $got[] = $m; });
try {
    while (true) {
        $channel->wait(null, false, 0.5);
    }
} catch (PhpAmqpLib\Exception\AMQPTimeoutException $nothingMore) {
    check(count($got) === 5, count($got) . ' deliveries with prefetch 5');
}
for ($acked = 0; $acked < 20; $acked++) {
    if ($acked === count($got)) {
        $channel->wait(null, false, 5);
    }
    $got[$acked]->ack();
}
$channel->basic_cancel($tag);
$bodies = array_map(fn ($m) => $m->getBody(), $got);
check($bodies === array_map(fn ($n) => "m$n", range(0, 19)), 'bodies: ' . implode(' ', $bodies));
check($got[7]->get('message_id') === 'm7', 'message id lost');
ok('consume');

publish($channel, 'again');
$channel->wait_for_pending_acks_returns(10);
$message = $channel->basic_get(QUEUE);
check(!$message->isRedelivered(), 'redelivered at the first delivery');
$message->reject(true);
$message = $channel->basic_get(QUEUE);
check($message->getBody() === 'again' && $message->isRedelivered(), 'not redelivered after a requeue');
$message->nack(false);
check($channel->basic_get(QUEUE) === null, 'a rejected message came back');
ok('reject');

$returned = [];
$channel->set_return_listener(function (...$return) use (&$returned) { $returned[] = $return; });
publish($channel, 'nowhere', 'php.no-such-queue');
$channel->wait_for_pending_acks_returns(10);
check(count($returned) === 1, 'an unroutable message was not returned');
check($returned[0][0] === 312 && $returned[0][4]->getBody() === 'nowhere', 'another return than expected');
ok('return');

for ($n = 0; $n < 10; $n++) {
    publish($channel, "kept$n");
}
$channel->wait_for_pending_acks_returns(10);
echo "restart\n";
fgets(STDIN);
try {
    $channel->queue_declare(QUEUE, true);
    check(false, 'the connection outlived the broker');
} catch (AMQPExceptionInterface $closed) {
    ok('closed');
}
[$connection, $channel] = connect();
for ($n = 0; $n < 10; $n++) {
    $message = $channel->basic_get(QUEUE);
    check($message !== null && $message->getBody() === "kept$n", "kept$n is lost");
    $message->ack();
}
$channel->queue_delete(QUEUE);
$connection->close();
ok('reconnect');
