// Draws it all, from the top.

const wanted = new URLSearchParams(location.search).get("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => { document.documentElement.dataset.theme = wanted || (dark.matches ? "dark" : "light"); };
setTheme();
dark.addEventListener("change", setTheme);

head();
navigation();
[verdicts, goals, ttlSection, timelineSection, recoverySection, partsSection, modelSection, effectiveSection, stabilitySection,
  costSection, whySection, fleetSection, cellSection, provenance].forEach(draw => draw());
