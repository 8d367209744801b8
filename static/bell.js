// Looks for notices while somebody can see the page, and says once, politely, that one came; closes
// the Desk menu when it is left. A look that fails is no fault of what the person does: it is silent.
(() => {
  const LOOK_MS = 15_000;

  const look = async () => {
    const bell = document.getElementById("bell");
    if (!bell || document.hidden) return;
    const answer = await fetch(bell.dataset.look, { redirect: "error", cache: "no-store" });
    if (answer.status !== 200) return; // nothing else to say, or signed out
    const template = document.createElement("template");
    template.innerHTML = await answer.text();
    const fresh = template.content.getElementById("bell");
    if (!fresh) return;
    const hadFocus = bell.contains(document.activeElement);
    bell.replaceWith(fresh);
    if (hadFocus) fresh.querySelector("a").focus();
    tell(JSON.parse(answer.headers.get("Desk-News") || '""'));
  };

  const tell = (text) => {
    const announce = document.getElementById("announce");
    if (!text || document.getElementById("dialog").open || announce.textContent) return;
    announce.textContent = text;
    announce.className = "is-info";
    setTimeout(() => {
      if (announce.textContent === text) announce.textContent = "";
    }, 6000);
  };

  setInterval(() => look().catch(() => {}), LOOK_MS);

  const menu = document.getElementById("desk-menu");
  if (!menu) return;
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
})();
