// The console is used from the keyboard: j and k go along the rows, / looks for something.

const rows = () => [...document.querySelectorAll("[data-rows] tbody tr, [data-rows] > li")];
const keys = document.querySelector("#keys");
let at = -1;

function go(step) {
  const all = rows();
  if (!all.length) return;
  all[at]?.classList.remove("here");
  at = Math.min(all.length - 1, Math.max(0, at + step));
  const row = all[at], link = row.querySelector("a, button");
  row.classList.add("here");
  (link ?? row).focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

const acts = {
  j: () => go(1),
  k: () => go(at < 0 ? 1 : -1),
  "?": () => keys.showModal(),
  "/": () => {
    const field = document.querySelector("[data-search]");
    if (field) field.focus();
    else location.assign("/console/log#find");
  },
};

for (const button of document.querySelectorAll("[data-keys]")) {
  button.hidden = false;
  button.addEventListener("click", acts["?"]);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  if (event.target.closest("input, select, textarea")) return;
  const page = document.querySelectorAll(".tabs a")[Number(event.key) - 1];
  if (!page && !acts[event.key]) return;
  event.preventDefault();
  if (page) page.click();
  else acts[event.key]();
});

if (location.hash === "#find") document.querySelector("[data-search]")?.focus();

// While rules are tried on the past, the page says how far it is.
async function tell() {
  const shown = document.querySelector("#tried[data-running]");
  if (!shown) return;
  const answer = await fetch("/console/risk/tried", { headers: { accept: "text/html" } }).catch(() => null);
  if (answer?.ok) {
    const box = document.createElement("template");
    box.innerHTML = await answer.text();
    const next = box.content.querySelector("#tried");
    if (next?.dataset.running) {
      for (const part of ["label", "progress"]) shown.querySelector(part).replaceWith(next.querySelector(part));
    } else if (next) {
      document.querySelector("#said").textContent = shown.dataset.running;
      shown.replaceWith(next);
    }
  }
  setTimeout(tell, 1000);
}
tell();
