const timeoutMs = 2000;

/** Synapse's metrics in the usual places: a listener of their own on port 9000, or beside the client API. */
export async function findMetrics(homeserver: string): Promise<string[]> {
  const own = new URL('/_synapse/metrics', homeserver);
  own.port = '9000';
  own.protocol = 'http:';
  const places = [own.href, `${homeserver}/_synapse/metrics`];
  const found = await Promise.all(places.map(givesMetrics));
  return places.filter((_, at) => found[at]).slice(0, 1);
}

async function givesMetrics(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
    return response.ok && (await response.text()).includes('\nsynapse_build_info');
  } catch {
    return false;
  }
}
