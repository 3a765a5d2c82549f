// Sets light or dark before the first pixel. The choice lives in this browser only.
(() => {
  const wanted = () => localStorage.getItem("desk.theme") || "auto";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = wanted() === "dark" || (wanted() === "auto" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    if (window.Quasar?.Dark) window.Quasar.Dark.set(dark);
  };
  system.addEventListener("change", apply);
  window.addEventListener("storage", (event) => event.key === "desk.theme" && apply());
  window.DeskTheme = {
    apply,
    toggle() {
      localStorage.setItem("desk.theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
      apply();
    },
  };
  // Who signs out leaves no half-written reply on this computer; an ended session keeps them.
  document.addEventListener("submit", (event) => {
    if (!event.target.action.endsWith("/sign-out")) return;
    for (const key of Object.keys(localStorage)) if (key.startsWith("desk.draft:")) localStorage.removeItem(key);
  });
  apply();
})();
