import { Attachment, EncryptedAttachment, initAsync } from '@matrix-org/matrix-sdk-crypto-wasm';
import { beforeAll, expect, test } from 'vitest';
import type { MatrixConnection } from '#adapters/matrix/client.ts';
import { openFile, sealFile } from '#adapters/matrix/crypto/attachments.ts';
import { MatrixOpsRoom } from '#adapters/matrix/room.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import { botUser } from '#test/fakes/house.ts';
import { message, row } from '#test/fixtures/outbox-rows.ts';

beforeAll(() => initAsync());
const content = Buffer.from('who may do what, in 200 kB\n'.repeat(8000));

test('what the bot seals, the people’s library opens', () => {
  const { sealed, file } = sealFile(content);
  expect(sealed.includes('who may do what')).toBe(false);
  const opened = Attachment.decrypt(new EncryptedAttachment(sealed, JSON.stringify({ ...file, url: 'mxc://x/y' })));
  expect(Buffer.from(opened).equals(content)).toBe(true);
});

test('what the people’s library seals, the bot’s recipe opens', () => {
  const theirs = Attachment.encrypt(content);
  const file = JSON.parse(theirs.mediaEncryptionInfo!) as Parameters<typeof openFile>[1];
  expect(openFile(Buffer.from(theirs.encryptedData), file).equals(content)).toBe(true);
});

test('one changed bit is noticed before anything is opened', () => {
  const { sealed, file } = sealFile(content);
  sealed[1000]! ^= 1;
  expect(() => openFile(sealed, file)).toThrow('not what was uploaded');
});

test('no two files share a key', () => {
  expect(sealFile(content).file.key.k).not.toBe(sealFile(content).file.key.k);
});

test('in an encrypted room the homeserver learns neither a file’s content nor its name', async () => {
  const uploads: Array<{ content: Buffer; mime: string; name: string }> = [];
  const sent: object[] = [];
  const connection: MatrixConnection = {
    request: () => Promise.resolve({ event_id: '$1' }),
    upload: (bytes, mime, name) => {
      uploads.push({ content: bytes, mime, name });
      return Promise.resolve('mxc://example.org/1');
    },
  };
  const envelopes = {
    isEncrypted: () => Promise.resolve(true),
    seal: (_room: string, _type: string, said: object) => {
      sent.push(said);
      return Promise.resolve({ type: 'm.room.encrypted', content: {} });
    },
  };
  const files = [{ name: 'people.csv', mime: 'text/csv', content: content.toString() }];
  const said = { ...row(1, { content: message({ title: 'Here', files }) }), txn: 't', state: 'pending' } as OutboxRow;
  await new MatrixOpsRoom(connection, botUser, envelopes).send(said, () => undefined);
  expect(uploads.map(({ mime, name }) => [mime, name])).toEqual([['application/octet-stream', 'file']]);
  const named = sent[1] as { filename: string; url?: string; file: Parameters<typeof openFile>[1] };
  expect(named).toMatchObject({ filename: 'people.csv', file: { url: 'mxc://example.org/1' } });
  expect(named.url).toBeUndefined();
  expect(openFile(uploads[0]!.content, named.file).equals(content)).toBe(true);
});
