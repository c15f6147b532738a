// The common steps with amqplib's promise API.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import amqp from 'amqplib'

const url = process.argv[2]
const queue = 'node.work'
const lines = createInterface({ input: process.stdin })
const ok = (step) => console.log('ok', step)

async function connect () {
  const connection = await amqp.connect(url)
  connection.on('error', () => {}) // the broker's forced close at its stop
  return [connection, await connection.createConfirmChannel()]
}

let [connection, channel] = await connect()
await channel.assertQueue(queue, { durable: true })
assert.equal((await channel.checkQueue(queue)).messageCount, 0)
ok('declare')

for (let n = 0; n < 20; n++) {
  channel.sendToQueue(queue, Buffer.from(`m${n}`), { persistent: true, messageId: `m${n}` })
}
await channel.waitForConfirms()
assert.equal((await channel.checkQueue(queue)).messageCount, 20)
ok('publish')

const got = []
await channel.prefetch(5)
const { consumerTag } = await channel.consume(queue, (message) => got.push(message))
await pause(500)
assert.equal(got.length, 5, 'deliveries with prefetch 5')
for (let acked = 0; acked < 20; acked++) {
  while (acked === got.length) await pause(5)
  channel.ack(got[acked])
}
await channel.cancel(consumerTag)
assert.deepEqual(got.map((m) => m.content.toString()), Array.from({ length: 20 }, (_, n) => `m${n}`))
assert.equal(got[7].properties.messageId, 'm7')
ok('consume')

channel.sendToQueue(queue, Buffer.from('again'), { persistent: true })
await channel.waitForConfirms()
let message = await channel.get(queue)
assert.equal(message.fields.redelivered, false)
channel.reject(message, true)
message = await channel.get(queue)
assert.equal(message.fields.redelivered, true)
channel.nack(message, false, false)
assert.equal(await channel.get(queue), false)
ok('reject')

const returning = once(channel, 'return')
channel.sendToQueue('node.no-such-queue', Buffer.from('nowhere'), { mandatory: true })
const [returned] = await returning
assert.equal(returned.fields.replyCode, 312)
assert.equal(returned.content.toString(), 'nowhere')
ok('return')

for (let n = 0; n < 10; n++) channel.sendToQueue(queue, Buffer.from(`kept${n}`), { persistent: true })
await channel.waitForConfirms()
const closed = once(connection, 'close')
console.log('restart')
await once(lines, 'line')
await closed
ok('closed')
;[connection, channel] = await connect()
for (let n = 0; n < 10; n++) {
  message = await channel.get(queue)
  assert.equal(message.content.toString(), `kept${n}`)
  channel.ack(message)
}
await channel.deleteQueue(queue)
await connection.close()
lines.close()
ok('reconnect')
