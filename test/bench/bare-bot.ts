// The baseline: the least that matrix-bot-sdk needs to answer `!ping` with one notice in a thread. Not Opsroom's.
import { LogLevel, LogService, MatrixClient, SimpleFsStorageProvider } from 'matrix-bot-sdk';

const [homeserverUrl = '', storageFile = ''] = process.argv.slice(2);
LogService.setLevel(LogLevel.ERROR);
const client = new MatrixClient(
  homeserverUrl,
  process.env['BARE_TOKEN'] ?? '',
  new SimpleFsStorageProvider(storageFile),
);

type Message = { event_id: string; content?: { msgtype?: string; body?: string } };

client.on('room.message', async (roomId: string, event: Message) => {
  if (event.content?.msgtype !== 'm.text' || event.content.body !== '!ping') return;
  await client.sendMessage(roomId, {
    msgtype: 'm.notice',
    body: 'pong',
    'm.relates_to': {
      rel_type: 'm.thread',
      event_id: event.event_id,
      is_falling_back: true,
      'm.in_reply_to': { event_id: event.event_id },
    },
  });
});

await client.start();
