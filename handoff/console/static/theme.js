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
  apply();
})();
