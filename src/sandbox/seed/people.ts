export type Status = 'ACTIVE' | 'SUSPENDED' | 'ONBOARDING';
export type SeedPerson = { localpart: string; name: string; status: Status; admin: boolean; device: string };

/** Who works at the made-up company: localpart, name, the device they log in with. */
const rows: [string, string, string][] = [
  ['alice', 'Alice Hartmann', 'Element on Linux'],
  ['bob', 'Bob Okafor', 'Element X on Android'],
  ['carol', 'Carol Lindqvist', 'Element on macOS'],
  ['mallory', 'Mallory Vance', 'Element on Windows'],
  ['dana', 'Dana Kowalski', 'Element X on iOS'],
  ['erin', 'Erin Gallagher', 'Element on Linux'],
  ['frank', 'Frank Moreau', 'Element on Windows'],
  ['grace', 'Grace Nakamura', 'Cinny in Firefox'],
  ['heidi', 'Heidi Brunner', 'Element on macOS'],
  ['ingrid', 'Ingrid Solberg', 'Element on Linux'],
  ['ivan', 'Ivan Petrov', 'Nheko on Linux'],
  ['judy', 'Judy Mensah', 'Element X on Android'],
  ['ken', 'Ken Yamada', 'Element on macOS'],
  ['laura', 'Laura Conti', 'Element X on iOS'],
  ['miguel', 'Miguel Ferreira', 'FluffyChat on Android'],
  ['nina', 'Nina Vogel', 'Element on Windows'],
  ['oscar', 'Oscar Lindholm', 'Element in Chrome'],
  ['peggy', 'Peggy Adeyemi', 'Element on Windows'],
  ['quentin', 'Quentin Dubois', 'Element in Firefox'],
  ['rosa', 'Rosa Jimenez', 'Element X on iOS'],
  ['sybil', 'Sybil Crane', 'Element on Windows'],
  ['tomas', 'Tomas Novak', 'Fractal on Linux'],
  ['ursula', 'Ursula Weiss', 'Element on macOS'],
  ['victor', 'Victor Ionescu', 'Element on Linux'],
  ['wendy', 'Wendy Clarke', 'Element X on Android'],
  ['xenia', 'Xenia Papadaki', 'Element in Safari'],
  ['yuki', 'Yuki Tanaka', 'Element X on iOS'],
  ['zoe', 'Zoe Baptiste', 'Element on macOS'],
  ['amir', 'Amir Haddad', 'Element X on Android'],
  ['beata', 'Beata Zielinska', 'Element in Chrome'],
];

export const suspendedLocalpart = 'sybil';
/** A person who is a server administrator, beside the bot's own administrator account. */
export const adminPersonLocalpart = 'ingrid';
export const newcomerLocalpart = 'yuki';
export const ghostLocalpart = 'telegram_dora';
export const botLocalpart = 'opsroom';

export const people: SeedPerson[] = rows.map(([localpart, name, device]) => ({
  localpart,
  name,
  device,
  admin: localpart === adminPersonLocalpart,
  status: localpart === suspendedLocalpart ? 'SUSPENDED' : localpart === newcomerLocalpart ? 'ONBOARDING' : 'ACTIVE',
}));
