// A region marked data-refresh is asked for again every second; when it is gone, the whole page is loaded anew.
// Without this the page refreshes by itself.
const region = document.querySelector("[data-refresh]");
const ask = async () => {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-refresh]");
  if (answer.ok && !fresh) return location.reload();
  if (fresh) region.innerHTML = fresh.innerHTML;
  setTimeout(ask, 1000);
};
if (region) setTimeout(ask, 1000);
