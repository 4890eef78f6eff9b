// Renew the part of the page that shows marks, without moving what the person is reading.
"use strict";
const live = document.querySelector("[data-live]");
async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    if (!fresh || fresh.innerHTML === live.innerHTML) return;
    const before = new Map([...live.querySelectorAll("[data-user]")].map((cell) => [cell.dataset.user + "/" + cell.dataset.item, cell.dataset.mark]));
    const scroll = live.querySelector(".scroll");
    const left = scroll ? scroll.scrollLeft : 0;
    live.replaceChildren(...fresh.childNodes);
    for (const cell of live.querySelectorAll("[data-user]")) {
      if (before.size && before.get(cell.dataset.user + "/" + cell.dataset.item) !== cell.dataset.mark) cell.classList.add("new");
    }
    const again = live.querySelector(".scroll");
    if (again) again.scrollLeft = left;
  } catch {
    // The LMS is away for a moment; the next turn tries again.
  }
}
setInterval(renew, Number(live.dataset.live));
