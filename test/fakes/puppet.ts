import type { Puppet, UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { FakeAccounts } from './accounts.ts';

/** Acts for a user until it is logged out or its time is over; a lock stops it. */
export class FakePuppet implements Puppet {
  readonly #accounts: FakeAccounts;
  readonly #user: UserId;
  readonly #validUntil: number;
  #ended = false;

  constructor(accounts: FakeAccounts, user: UserId, validUntil: number) {
    this.#accounts = accounts;
    this.#user = user;
    this.#validUntil = validUntil;
  }

  leave(room: RoomId, reason: string): Promise<void> {
    return this.#accounts.faults.run('leave', [room, reason, this.#user], () => {
      this.#requireUsable();
      const { rooms } = this.#accounts;
      const membership = rooms.membershipOf(room, this.#user);
      if (membership === 'join' || membership === 'invite' || membership === 'knock') {
        rooms.setMembership(room, this.#user, 'leave');
      }
    });
  }

  join(room: RoomId): Promise<void> {
    return this.#accounts.faults.run('join', [room, this.#user], () => {
      this.#requireUsable();
      const { rooms } = this.#accounts;
      const membership = rooms.membershipOf(room, this.#user);
      if (membership === 'join') return;
      const may = membership !== 'ban' && (rooms.isPublic(room) || membership === 'invite');
      if (!may || this.#accounts.peek(this.#user).suspended)
        throw new OpsError('denied', `${this.#user} may not join ${room}.`);
      rooms.setMembership(room, this.#user, 'join');
    });
  }

  invite(room: RoomId, user: UserId): Promise<void> {
    return this.#accounts.faults.run('invite', [room, user, this.#user], () => {
      this.#requireUsable();
      const { rooms } = this.#accounts;
      if (rooms.membershipOf(room, this.#user) !== 'join')
        throw new OpsError('denied', `${this.#user} not in room ${room}.`);
      if (rooms.membershipOf(room, user) === 'ban') throw new OpsError('denied', `${user} is banned from the room.`);
      if (rooms.membershipOf(room, user) !== 'join') rooms.setMembership(room, user, 'invite');
    });
  }

  logout(): Promise<void> {
    return this.#accounts.faults.run('logout', [this.#user], () => {
      this.#ended = true;
    });
  }

  #requireUsable(): void {
    if (this.#ended || this.#accounts.clock.now() > this.#validUntil) {
      throw new OpsError('conflict', `The right to act for ${this.#user} has ended.`);
    }
    if (this.#accounts.peek(this.#user).locked) throw new OpsError('conflict', `${this.#user} is locked.`);
  }
}
