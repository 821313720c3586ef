// A region marked data-live is asked for again when the node says that something changed. Without this the page
// refreshes by itself.
const region = document.querySelector("[data-live]");
if (region && window.EventSource) {
  const events = new EventSource("/live");
  events.addEventListener("changed", async () => {
    if (region.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
    if (fresh && fresh.innerHTML !== region.innerHTML) region.innerHTML = fresh.innerHTML;
  });
  addEventListener("pagehide", () => events.close());
}
