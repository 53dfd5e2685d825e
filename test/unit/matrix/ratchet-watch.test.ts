import { expect, test } from 'vitest';
import { RatchetWatch } from '#test/fixtures/ratchet.ts';

/** A Megolm message as it lies on the wire: version, the tag of the index, the index as a varint, and a text. */
function sent(session_id: string, index: number, text: string, path = '/send/m.room.encrypted/t1') {
  const varint: number[] = [];
  for (let left = index; ; left >>= 7) {
    varint.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) break;
  }
  const ciphertext = Buffer.from([3, 8, ...varint, 18, ...Buffer.from(text)]).toString('base64');
  return {
    method: 'PUT',
    url: new URL(`http://127.0.0.1${path}`),
    body: Buffer.from(JSON.stringify({ session_id, ciphertext })),
    number: 0,
  };
}

test('the watch finds a message key that two texts were sent with, and nothing else', () => {
  const watch = new RatchetWatch();
  for (const index of [0, 1, 127, 128, 300]) watch.look(sent('one', index, `text ${index}`));
  watch.look(sent('two', 128, 'another session'));
  watch.look(sent('one', 1, 'text 1'));
  watch.look(sent('one', 1, 'a reaction', '/send/m.reaction/t2'));
  expect([watch.messages, watch.sessions.size, watch.repeated]).toEqual([6, 2, []]);
  watch.look(sent('one', 128, 'not what it was'));
  expect(watch.repeated).toEqual(['one 128']);
});
