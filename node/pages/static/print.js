// Shows the button that prints, where there is a script to answer it.
for (const place of document.querySelectorAll("[data-print]")) {
  place.hidden = false;
  place.firstElementChild.addEventListener("click", () => window.print());
}
