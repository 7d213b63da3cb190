// What of this page is in its address? The stretch shown, the heat-map's figure, the stretch zoomed to:
// whoever opens the address sees the same.

export function read() {
  const given = new URLSearchParams(location.search);
  const number = (name) => (/^\d{1,15}$/.test(given.get(name) ?? "") ? Number(given.get(name)) : null);
  const [from, to] = [number("from"), number("to")];
  return {
    span: number("span"),
    metric: given.get("metric"),
    zoom: from !== null && to !== null && from < to ? [from, to] : null,
  };
}

/** Change some members; what is null leaves the address. */
export function write(members) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(members)) {
    if (value === null) address.searchParams.delete(name);
    else address.searchParams.set(name, String(value));
  }
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}
