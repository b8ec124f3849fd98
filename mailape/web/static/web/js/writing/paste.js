// What is pasted: a URL over selected words becomes a link, rich text becomes Markdown, and all else
// is left to the browser.
(() => {
  const parts = (window.writing ??= {});
  const URL_ALONE = /^(https?:\/\/|mailto:)[^\s<>]+$/i;
  const RICH = "a[href],strong,b,em,i,h1,h2,h3,h4,h5,h6,ul,ol,blockquote,table,img[src],pre";
  const BLOCKS = new Set([
    "ADDRESS", "ARTICLE", "ASIDE", "BODY", "CENTER", "DD", "DIV", "DL", "DT", "FIGCAPTION", "FIGURE",
    "FOOTER", "HEADER", "MAIN", "NAV", "P", "SECTION",
  ]);
  const SILENT = new Set([
    "HEAD", "LINK", "META", "NOSCRIPT", "SCRIPT", "STYLE", "TEMPLATE", "TITLE", "SVG", "BUTTON",
  ]);

  const escaped = (text) =>
    text
      .replace(/\{\{.*?\}\}|\{%.*?%\}|([\\`*[\]<])|(?<=^|\W)(_)|(_)(?=\W|$)/g, (all, a, b, c) =>
        a || b || c ? `\\${all}` : all)
      .replace(/^(\s*)(#{1,6}\s|>|[-+]\s|---)/, "$1\\$2")
      .replace(/^(\s*\d{1,9})([.)]\s)/, "$1\\$2");

  const inline = (node) => [...node.childNodes].map(phrase).join("");

  // Marks must stand close to the words: ` bold ` is ` **bold** `.
  const marked = (text, mark) => {
    const [, head, words, tail] = /^(\s*)(.*?)(\s*)$/s.exec(text);
    return words ? `${head}${mark}${words}${mark}${tail}` : text;
  };

  const weight = (node) => node.style?.fontWeight ?? "";
  const isBold = (node) =>
    (/^(B|STRONG)$/.test(node.tagName) && !/^(normal|[1-5]00)$/.test(weight(node))) ||
    (node.tagName === "SPAN" && /^(bold|[6-9]00)$/.test(weight(node)));
  const isItalic = (node) =>
    (/^(I|EM)$/.test(node.tagName) && node.style?.fontStyle !== "normal") ||
    (node.tagName === "SPAN" && node.style?.fontStyle === "italic");

  const phrase = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return escaped(node.data.replace(/[\s\u00a0]+/g, " "));
    if (node.nodeType !== Node.ELEMENT_NODE || SILENT.has(node.tagName.toUpperCase())) return "";
    if (node.tagName === "BR") return "\\\n";
    if (node.tagName === "IMG") return image(node);
    if (node.tagName === "CODE" || node.tagName === "KBD") {
      const text = node.textContent.replace(/\s+/g, " ");
      return text.includes("`") ? `\`\` ${text} \`\`` : text.trim() && `\`${text}\``;
    }
    let text = inline(node);
    if (node.tagName === "A") return link(node, text);
    if (isItalic(node)) text = marked(text, "*");
    if (isBold(node)) text = marked(text, "**");
    return text;
  };

  const link = (node, text) => {
    const url = node.getAttribute("href") ?? "";
    if (!/^(https?:|mailto:|tel:)/i.test(url) || !text.trim()) return text;
    const [, head, words, tail] = /^(\s*)(.*?)(\s*)$/s.exec(text.replaceAll("\\\n", " "));
    const safe = url.replaceAll(" ", "%20").replaceAll("(", "%28").replaceAll(")", "%29");
    return `${head}[${words}](${safe})${tail}`;
  };

  const image = (node) => {
    const url = node.getAttribute("src") ?? "";
    return /^https?:/i.test(url) ? `![${escaped(node.alt ?? "")}](${url})` : "";
  };

  const indented = (text, by) => text.replace(/\n(?=[^\n])/g, `\n${" ".repeat(by)}`);

  const listed = (node) => {
    let number = Number(node.getAttribute("start")) || 1;
    const items = [...node.children].map((item) => {
      // Word processors put a list into a list without an item of its own.
      if (/^(UL|OL)$/.test(item.tagName)) return `  ${indented(listed(item), 2)}`;
      const sign = node.tagName === "OL" ? `${number++}. ` : "- ";
      return sign + indented(blocks(item).join("\n"), sign.length);
    });
    return items.filter((item) => item.trim()).join("\n");
  };

  const tabled = (node) => {
    const rows = [...node.querySelectorAll("tr")].map((row) =>
      [...row.querySelectorAll("th,td")].map((cell) =>
        inline(cell).replaceAll("\\\n", " ").replaceAll("|", "\\|").trim()));
    const full = rows.filter((row) => row.length);
    // A table of one column is the layout of a mail or a page, not a table.
    if (!full.length || full.every((row) => row.length < 2)) {
      return [...node.querySelectorAll("th,td")].flatMap(blocks).join("\n\n");
    }
    const width = Math.max(...full.map((row) => row.length));
    const line = (row) => `| ${[...row, ...Array(width - row.length).fill("")].join(" | ")} |`;
    return [line(full[0]), `|${" --- |".repeat(width)}`, ...full.slice(1).map(line)].join("\n");
  };

  const blockOf = (node) => {
    const head = /^H([1-6])$/.exec(node.tagName);
    const flat = () => inline(node).replaceAll("\\\n", " ").replace(/\s+/g, " ").trim();
    if (head) return flat() && `${"#".repeat(Number(head[1]))} ${flat().replace(/^\*\*(.*)\*\*$/, "$1")}`;
    if (/^(UL|OL)$/.test(node.tagName)) return listed(node);
    if (node.tagName === "HR") return "---";
    if (node.tagName === "PRE") return `\`\`\`\n${node.textContent.replace(/\n$/, "")}\n\`\`\``;
    if (node.tagName === "TABLE") return tabled(node);
    if (node.tagName === "BLOCKQUOTE") {
      return blocks(node).join("\n\n").replace(/^/gm, "> ").replace(/^> $/gm, ">");
    }
    return null;
  };

  // The blocks inside of a node; words between them are paragraphs of their own.
  const blocks = (node) => {
    const found = [];
    let words = "";
    const end = () => {
      const text = words.replace(/^(\\\n|\s)+|(\\\n|\s)+$/g, "").replace(/ *\\\n */g, "\\\n");
      if (text) found.push(text);
      words = "";
    };
    for (const child of node.childNodes) {
      const block = child.nodeType === Node.ELEMENT_NODE && !SILENT.has(child.tagName.toUpperCase())
        ? blockOf(child) : null;
      if (block !== null && block !== false) {
        end();
        if (block) found.push(block);
      } else if (BLOCKS.has(child.tagName) || (child.querySelector?.("p,div,ul,ol,h1,h2,h3,table") &&
          child.tagName !== "A")) {
        end();
        found.push(...blocks(child));
      } else words += phrase(child);
    }
    end();
    return found;
  };

  parts.markdown = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    return blocks(page.body).join("\n\n");
  };

  // What to insert instead of the plain text; null leaves the pasting to the browser.
  parts.pasted = (data, selected) => {
    const plain = data.getData("text/plain").trim();
    if (selected.trim() && URL_ALONE.test(plain) && !URL_ALONE.test(selected.trim())) {
      return `[${selected.trim()}](${plain})`;
    }
    const html = data.getData("text/html");
    if (!html || URL_ALONE.test(plain)) return null;
    const page = new DOMParser().parseFromString(html, "text/html");
    const rich = page.body.querySelector(RICH);
    return rich ? parts.markdown(html) || null : null;
  };
})();
