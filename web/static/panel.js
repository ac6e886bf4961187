// The panel works without this. With it, the numbers of a batch change by themselves, and a form is sent once.
"use strict";

const INTERVAL = 2000;

function update(root, view) {
  for (const node of root.querySelectorAll("[data-text]")) {
    const text = view.text[node.dataset.text];
    if (text !== undefined && node.textContent !== text) node.textContent = text;
  }
  for (const part of view.bar) {
    const rect = root.querySelector(`.bar rect[data-state="${part.state}"]`);
    if (rect) {
      rect.setAttribute("x", `${part.x}%`);
      rect.setAttribute("width", `${part.width}%`);
    }
  }
  for (const [name, html] of Object.entries(view.parts)) {
    const node = root.querySelector(`[data-part="${name}"]`);
    // Whoever is using a part with the keyboard, or has opened it, is not disturbed.
    if (!node || shown.get(name) === html) continue;
    if (node.contains(document.activeElement) || node.querySelector("details[open]")) continue;
    shown.set(name, html);
    node.innerHTML = html; // made by our own templates, which escape
  }
}

const shown = new Map();

async function follow(root) {
  let offline = null;
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(root.dataset.live, { headers: { Accept: "application/json" } });
      if (answer.status === 401) return window.location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      update(root, await answer.json());
      if (offline) offline.remove();
      offline = null;
      root.dataset.looks = String(Number(root.dataset.looks || 0) + 1);
    } catch (error) {
      if (!offline) {
        offline = document.createElement("p");
        offline.className = "flash bad";
        offline.setAttribute("role", "status");
        offline.textContent = root.dataset.offline;
        root.prepend(offline);
      }
    }
  };
  const loop = async () => {
    await look();
    window.setTimeout(loop, INTERVAL);
  };
  document.addEventListener("visibilitychange", look);
  window.setTimeout(loop, INTERVAL);
}

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => {
    for (const button of form.querySelectorAll("button")) {
      window.setTimeout(() => { button.disabled = true; }, 0);
    }
  });
}
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[data-once] button")) button.disabled = false;
});

const live = document.querySelector("[data-live]");
if (live) follow(live);
