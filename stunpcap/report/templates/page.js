// Tables that sort and filter, filters that are copied. Without it the page is complete, only still.
(() => {
  "use strict";
  const FILTER_FROM = 8;
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort ?? cell.textContent.trim();
  };
  const compare = (a, b, numeric) => {
    if (!numeric) return a.localeCompare(b, "en", { numeric: true });
    return parseFloat(a.replaceAll(",", "")) - parseFloat(b.replaceAll(",", ""));
  };
  const sortable = (table) => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      if (head.title) button.title = head.title;
      head.removeAttribute("title");
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const numeric = head.classList.contains("n");
        // What is missing comes last, whichever way.
        const rows = [...body.rows].map((row, place) => ({ row, place, key: value(row, column) }));
        rows.sort((a, b) => {
          if (!a.key !== !b.key) return a.key ? -1 : 1;
          return (a.key ? compare(a.key, b.key, numeric) * (down ? -1 : 1) : 0) || a.place - b.place;
        });
        body.append(...rows.map((one) => one.row));
      });
    });
  };
  const filterable = (table, number) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < FILTER_FROM) return;
    const box = document.createElement("span");
    box.className = "filterbox";
    const label = document.createElement("label");
    label.textContent = "Filter rows ";
    const field = document.createElement("input");
    field.type = "search";
    field.id = `filter-${number}`;
    label.htmlFor = field.id;
    const shown = document.createElement("span");
    shown.setAttribute("role", "status");
    box.append(label, field, " ", shown);
    table.caption.append(box);
    const texts = rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim()).join(" ").toLowerCase());
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      rows.forEach((row, place) => {
        row.hidden = !words.every((word) => texts[place].includes(word));
        left += row.hidden ? 0 : 1;
      });
      shown.textContent = words.length ? `${left} of ${rows.length} rows` : "";
    });
  };
  const copyable = (code) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the display filter ${code.textContent}`);
    const done = document.createElement("span");
    done.className = "small";
    done.setAttribute("role", "status");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        done.textContent = " copied";
      } catch {
        getSelection().selectAllChildren(code);
        done.textContent = " selected: copy it with Ctrl+C";
      }
    });
    code.after(" ", button, done);
  };
  document.querySelectorAll("table[data-sheet]").forEach((table, number) => {
    sortable(table);
    filterable(table, number);
  });
  document.querySelectorAll("code.filter").forEach(copyable);
  // On paper no row is left out.
  addEventListener("beforeprint", () => {
    document.querySelectorAll("tr[hidden]").forEach((row) => (row.hidden = false));
  });
})();
