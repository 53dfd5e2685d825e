import { expect, test } from 'vitest';
import { Encryptor } from '#adapters/matrix/crypto/encrypt.ts';
import type { Machine } from '#adapters/matrix/crypto/machine.ts';
import type { Requests } from '#adapters/matrix/crypto/requests.ts';
import type { RoomStates } from '#adapters/matrix/crypto/room-state.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { opsRoom } from '#test/fakes/house.ts';

/** Counts what the library is asked for; its answers are those of one session. */
class CountingMachine {
  shared = 0;
  invalidated = 0;
  onShare = (): void => {};
  #index = 0;

  call = async (work: (olm: object) => Promise<unknown>): Promise<unknown> =>
    work({
      updateTrackedUsers: () => Promise.resolve(),
      getMissingSessions: () => Promise.resolve(null),
      invalidateGroupSession: () => {
        this.invalidated += 1;
        return Promise.resolve(true);
      },
      shareRoomKey: () => {
        this.shared += 1;
        this.onShare();
        return Promise.resolve([]);
      },
      encryptRoomEvent: () => {
        const ciphertext = Buffer.from([3, 8, this.#index, 18]).toString('base64');
        this.#index += 1;
        return Promise.resolve(JSON.stringify({ session_id: 'one', ciphertext }));
      },
    });
}

const clock = new FakeClock();
function sender(machine: CountingMachine): () => Promise<object> {
  const requests = { seen: 0, pump: () => Promise.resolve(), send: () => Promise.resolve() };
  const state = { members: [], visibility: 0, rotationPeriodMs: 600_000, rotationMessages: 100 };
  const rooms = { get: () => Promise.resolve(state) };
  const encryptor = new Encryptor({
    machine: machine as unknown as Machine,
    requests: requests as unknown as Requests,
    rooms: rooms as unknown as RoomStates,
    clock,
  });
  return () => encryptor.encrypt(opsRoom, 'm.room.message', {});
}

test('a key is shared anew before its time is up: the library would fail for good on one that has expired', async () => {
  const machine = new CountingMachine();
  const send = sender(machine);
  await send();
  await send();
  await clock.advance(539_000);
  await send();
  expect(machine.shared).toBe(1);
  await clock.advance(2000);
  await send();
  expect(machine.shared).toBe(2);
});

test('a clock that is set while a key is being shared: that key is not used, and the next try makes another', async () => {
  const machine = new CountingMachine();
  const send = sender(machine);
  machine.onShare = () => clock.setWall(clock.now() - 5000);
  await expect(send()).rejects.toMatchObject({ kind: 'unavailable', message: 'The clock was set meanwhile.' });
  expect(machine.invalidated).toBe(1);
  machine.onShare = () => {};
  await send();
  expect([machine.invalidated, machine.shared]).toEqual([2, 2]);
});
