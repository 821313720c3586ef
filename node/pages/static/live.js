// A region marked data-live is asked for again when the node says that something changed, and once a minute, because
// it may say how much time is left. Without this the page refreshes by itself.
const region = document.querySelector("[data-live]");
const ask = async () => {
  if (region.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
  if (fresh && fresh.innerHTML !== region.innerHTML) region.innerHTML = fresh.innerHTML;
};
if (region) {
  setInterval(() => document.hidden || ask(), 60000);
  if (window.EventSource) {
    const events = new EventSource("/live");
    events.addEventListener("changed", ask);
    addEventListener("pagehide", () => events.close());
  }
}
