// The library beyond links and forms: the count of what is ticked, and the sign that more has come.
const NEWS_MS = 10_000;
const boxes = () => [...document.querySelectorAll('#bulk [name="recording"]')];

// Many at once

const count = () => {
  const told = document.getElementById("bulk-count");
  if (!told) return;
  const all = document.querySelector('#bulk [name="all"]');
  const every = boxes();
  const ticked = every.filter((box) => box.checked).length;
  const page = document.getElementById("pick-page");
  page.hidden = false;
  page.checked = ticked === every.length;
  page.indeterminate = ticked > 0 && ticked < every.length;
  const text = all?.checked ? "All selected" : ticked ? `${ticked} selected` : told.dataset.none;
  if (told.textContent !== text) told.textContent = text;
};

let last; // the box that was pressed before, from which Shift selects on

document.addEventListener("click", (event) => {
  const box = event.target;
  if (!box.matches?.('#bulk [name="recording"]')) return;
  const every = boxes();
  if (event.shiftKey && last?.isConnected) {
    const [from, to] = [every.indexOf(last), every.indexOf(box)].sort((a, b) => a - b);
    for (const one of every.slice(from, to + 1)) one.checked = box.checked;
  }
  last = box;
});

document.addEventListener("change", (event) => {
  if (event.target.id === "pick-page") {
    for (const box of boxes()) box.checked = event.target.checked;
  }
  if (event.target.closest("#bulk")) count();
});

document.addEventListener("htmx:afterSettle", count);
addEventListener("pageshow", count); // also when Back shows the page as it was left

// New ones: told, never put into the list under somebody's pointer

const look = async () => {
  const address = document.getElementById("results")?.dataset.news;
  if (!address || document.hidden) return;
  try {
    const answer = await fetch(address);
    const news = document.getElementById("news");
    const isOurs = document.getElementById("results")?.dataset.news === address;
    if (answer.status !== 200 || answer.redirected || !news || !isOurs) return;
    const template = document.createElement("template");
    template.innerHTML = await answer.text();
    if (news.textContent.trim() === template.content.textContent.trim()) return;
    news.replaceChildren(template.content);
  } catch {
    // the desk is away: asked again in a while
  }
};
setInterval(look, NEWS_MS);
document.addEventListener("visibilitychange", look);

// Menus close like menus

const close = (menu) => menu?.removeAttribute("open");
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) close(menu);
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.("details.menu[open]");
  if (!menu) return;
  close(menu);
  menu.querySelector("summary").focus();
});
count();
