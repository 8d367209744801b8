// Says once, politely, that a notice came; and closes the Desk menu when it is left.
(() => {
  document.addEventListener("tapeline:news", (event) => {
    const announce = document.getElementById("announce");
    if (document.getElementById("dialog").open || announce.textContent) return;
    const { text } = event.detail;
    announce.textContent = text;
    announce.className = "is-info";
    setTimeout(() => {
      if (announce.textContent === text) announce.textContent = "";
    }, 6000);
  });

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
