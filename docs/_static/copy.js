// Puts a button on every block of code; of a console it copies the commands without their prompt.

/** @param {HTMLElement} block */
function textOf(block) {
  const text = block.querySelector("pre")?.innerText ?? "";
  if (!block.parentElement?.classList.contains("highlight-console")) return text;
  const kept = [];
  let continues = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("$ ") || continues) {
      kept.push(line.replace(/^\$ /, ""));
      continues = line.endsWith("\\");
    }
  }
  return kept.join("\n");
}

document.addEventListener("DOMContentLoaded", () => {
  if (!navigator.clipboard) return;
  for (const block of document.querySelectorAll("div.highlight")) {
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(textOf(block));
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    block.append(button);
  }
});
