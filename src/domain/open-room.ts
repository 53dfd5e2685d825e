type Openness = { joinRule?: unknown; historyVisibility?: unknown; guestAccess?: unknown };

/** How a room lets in, or shows itself to, whom nobody invited, in words; empty for one that doesn't. */
export function opennessOf(room: Openness): string[] {
  return [
    ...(room.joinRule === 'public' ? ['anybody may join it'] : []),
    ...(room.historyVisibility === 'world_readable' ? ['anybody may read it'] : []),
    ...(room.guestAccess === 'can_join' && room.joinRule === 'public' ? ['guests may join it'] : []),
  ];
}
