// Runs before the first paint, so that a dark desk never flashes white.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("tapeline-theme");
    } catch {
      return null; // storage is switched off
    }
  };
  const show = () => {
    document.documentElement.dataset.bsTheme = chosen() || (dark.matches ? "dark" : "light");
  };
  dark.addEventListener("change", show);
  addEventListener("storage", show);
  addEventListener("tapeline:theme", show);
  show();
})();
