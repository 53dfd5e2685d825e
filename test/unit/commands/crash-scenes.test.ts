import { expect, test } from 'vitest';
import { scenes } from '#test/fixtures/crash-scenes.ts';
import { realCommands } from '#test/fixtures/place.ts';

test('A1: every change has a scene in which it is killed at each of its steps', () => {
  const changes = Object.entries(realCommands).flatMap(([name, { kind }]) => (kind === 'change' ? [name] : []));
  expect(Object.keys(scenes).toSorted(), 'add what is missing to test/fixtures/crash-scenes.ts').toEqual(
    changes.toSorted(),
  );
});
