// What pages do beyond being read: search, copy, the menu on a phone, the theme. All of it works from a disk.
"use strict";

(() => {
  const script = document.currentScript;
  const base = script.dataset.base;
  const root = document.documentElement;

  // The theme: as the system says, until somebody says otherwise.
  const themes = ["auto", "light", "dark"];
  const remembered = () => {
    try { return localStorage.getItem("farthing-theme") || "auto"; } catch { return "auto"; }
  };
  const button = document.querySelector(".theme");
  const show = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    button.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme];
    button.setAttribute("aria-label", `Theme: ${theme}`);
  };
  button.hidden = false;
  show(remembered());
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(remembered()) + 1) % themes.length];
    try { localStorage.setItem("farthing-theme", next); } catch { /* It lasts as long as the page. */ }
    show(next);
  });

  // The menu on a phone: without this program it is a link to the end of the page.
  const menu = document.querySelector(".menu");
  menu.setAttribute("role", "button");
  menu.setAttribute("aria-expanded", "false");
  const open = (is) => {
    document.body.classList.toggle("open", is);
    menu.setAttribute("aria-expanded", String(is));
    menu.textContent = is ? "Close" : "Menu";
  };
  menu.addEventListener("click", (event) => {
    event.preventDefault();
    open(!document.body.classList.contains("open"));
  });
  const here = document.querySelector("#navigation [aria-current]");
  const navigation = document.querySelector("#navigation");
  if (here && here.offsetTop > navigation.clientHeight - 80) {
    navigation.scrollTop = here.offsetTop - navigation.clientHeight / 2; // The page itself stays where it is.
  }

  // Copying a block.
  for (const block of document.querySelectorAll(".code.copied")) {
    const copy = document.createElement("button");
    copy.type = "button";
    copy.textContent = "Copy";
    copy.addEventListener("click", async () => {
      const text = block.querySelector("code").textContent + "\n";
      try {
        await navigator.clipboard.writeText(text);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(block.querySelector("code"));
        copy.textContent = "Press Ctrl-C";
      }
      setTimeout(() => { copy.textContent = "Copy"; }, 2000);
    });
    block.append(copy);
  }

  // Search. The index is a script of its own, loaded when somebody wants to search.
  const form = document.querySelector(".search");
  const input = form.querySelector("input");
  const found = document.querySelector("#found");
  form.hidden = false;

  let loading = null;
  const load = () => {
    loading ??= new Promise((done) => {
      const index = document.createElement("script");
      index.src = `${base}search.js`;
      index.onload = done;
      document.head.append(index);
    });
    return loading;
  };

  const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) || [];
  const begins = (text, word) => {
    for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
      if (at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1])) return true;
    }
    return false;
  };

  // How well a section answers: every word must be in it; a title weighs more than a text, and a page than its parts.
  const weigh = ([title, page, , text], wanted, whole) => {
    const name = title.toLowerCase();
    let sum = name === whole ? 200 : name.startsWith(whole) ? 80 : 0;
    for (const word of wanted) {
      if (begins(name, word)) sum += 40;
      else if (name.includes(word)) sum += 20;
      else if (begins(text.toLowerCase(), word)) sum += 6;
      else if (begins(page.toLowerCase(), word)) sum += 4;
      else if (text.toLowerCase().includes(word)) sum += 2;
      else return 0;
    }
    return sum + (page === title ? 30 : 0) - Math.min(5, text.length / 2000);
  };

  const marked = (text, wanted) => {
    const shown = document.createDocumentFragment();
    const pattern = new RegExp(`(${wanted.map((w) => w.replace(/[^\p{L}\p{N}_]/gu, "")).join("|")})`, "giu");
    text.split(pattern).forEach((part, i) => {
      const node = i % 2 ? document.createElement("mark") : document.createTextNode(part);
      if (i % 2) node.textContent = part;
      shown.append(node);
    });
    return shown;
  };

  const snippet = (text, wanted) => {
    const places = wanted.map((word) => text.toLowerCase().indexOf(word)).filter((at) => at >= 0);
    const from = Math.max(0, (places.length ? Math.min(...places) : 0) - 40);
    const cut = text.slice(from, from + 150);
    return (from ? "… " : "") + cut.slice(from ? cut.indexOf(" ") + 1 : 0) + (from + 150 < text.length ? " …" : "");
  };

  const answer = ([title, page, url, text], wanted) => {
    const link = document.createElement("a");
    link.href = base + url;
    link.setAttribute("role", "option");
    const name = document.createElement("b");
    name.append(marked(title, wanted));
    link.append(name);
    if (page !== title) {
      const where = document.createElement("span");
      where.textContent = ` · ${page}`;
      link.append(where);
    }
    const about = document.createElement("small");
    about.append(marked(snippet(text, wanted), wanted));
    link.append(about);
    return link;
  };

  const look = async () => {
    await load();
    const wanted = words(input.value);
    const whole = input.value.trim().toLowerCase();
    found.hidden = !wanted.length;
    if (!wanted.length) return;
    const best = window.farthingSearch
      .map((section) => [weigh(section, wanted, whole), section])
      .filter(([weight]) => weight > 0)
      .sort((a, b) => b[0] - a[0])
      .slice(0, 20);
    const nothing = document.createElement("p");
    nothing.textContent = `Nothing about “${input.value.trim()}”.`;
    found.replaceChildren(...(best.length ? best.map(([, section]) => answer(section, wanted)) : [nothing]));
    choose(0);
  };

  const choose = (number) => {
    const links = [...found.querySelectorAll("a")];
    links.forEach((link, i) => link.setAttribute("aria-selected", String(i === number)));
    links[number]?.scrollIntoView({ block: "nearest" });
  };

  const step = (by) => {
    const links = [...found.querySelectorAll("a")];
    const now = links.findIndex((link) => link.getAttribute("aria-selected") === "true");
    choose(Math.max(0, Math.min(links.length - 1, now + by)));
  };

  input.addEventListener("focus", load);
  input.addEventListener("input", look);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else if (event.key === "Escape") { input.value = ""; found.hidden = true; input.blur(); }
    else return;
    event.preventDefault();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    found.querySelector('a[aria-selected="true"]')?.click();
  });
  found.addEventListener("click", () => { found.hidden = true; });
  document.addEventListener("click", (event) => {
    if (!form.contains(event.target)) found.hidden = true;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(input|textarea|select)$/i.test(event.target.tagName)) return;
    event.preventDefault();
    input.focus();
  });

  // A link such as index.html?search=mandate begins with a search.
  const asked = new URLSearchParams(location.search).get("search");
  if (asked) {
    input.value = asked;
    look();
  }
})();
