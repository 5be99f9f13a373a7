// SPDX-License-Identifier: GPL-2.0
// report.js: tables that can be sorted, searched and widened. Without it all of them are there, in their own order.
"use strict";
{
	// key: what a cell is sorted by: in a column of numbers its first one (4k: 4096), and nothing where there is none.
	const key = (cell, numeric) => {
		const text = cell.textContent.replace(/\u202f/g, "").trim();
		if (!numeric)
			return text;
		const found = /^(-?[\d.]+(?:e[+-]?\d+)?)([km]?)/.exec(text);
		return found ? found[1] * { "": 1, k: 1024, m: 1048576 }[found[2]] : null;
	};
	// sort: the rows of a table by column i: ascending, descending, as they were.
	const sort = (table, head, i, rows) => {
		const next = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort") || "none"];
		const sign = next == "descending" ? -1 : 1;
		const numeric = head.classList.contains("n");
		for (const other of table.tHead.rows[0].cells)
			other.setAttribute("aria-sort", other == head ? next : "none");
		const order = rows.map((row, place) => ({ row, place, key: key(row.cells[i], numeric) }));
		if (next != "none")
			order.sort((a, b) => a.key === null || b.key === null ? (a.key === null) - (b.key === null) || a.place - b.place :
				sign * (numeric ? a.key - b.key : a.key.localeCompare(b.key, "en", { numeric: true })) || a.place - b.place);
		table.tBodies[0].append(...order.map(one => one.row));
	};
	for (const part of document.querySelectorAll(".table")) {
		const table = part.querySelector("table"), rows = [...table.tBodies[0].rows];
		const tools = document.createElement("div"), search = document.createElement("input"), shown = document.createElement("span");
		tools.className = "tools";
		search.type = "search";
		search.placeholder = "rows with all of these words";
		search.setAttribute("aria-label", "Show the rows of this table with all of these words");
		shown.className = "count";
		shown.setAttribute("role", "status");
		tools.append(search, shown);
		search.addEventListener("input", () => {
			const words = search.value.split(/\s+/).filter(word => word);
			let n = 0;
			for (const row of rows) {
				// Whole words: "spin" is not "event/spin".
				const cells = [...row.cells].map(cell => cell.textContent.replace(/\u202f/g, ""));
				row.hidden = !words.every(word => cells.some(cell => cell.split(/\s+/).includes(word)));
				n += !row.hidden;
			}
			shown.textContent = words.length ? n + " of " + rows.length + " rows" : "";
		});
		if (table.querySelector(".more")) {
			const label = document.createElement("label"), box = document.createElement("input");
			box.type = "checkbox";
			label.append(box, " all columns");
			tools.append(label);
			box.addEventListener("change", () => table.classList.toggle("compact", !box.checked));
			table.classList.add("compact");
		}
		part.querySelector(".about").after(tools);
		[...table.tHead.rows[0].cells].forEach((head, i) => {
			const button = document.createElement("button");
			button.type = "button";
			button.append(...head.childNodes);
			head.append(button);
			head.setAttribute("aria-sort", "none");
			button.addEventListener("click", () => sort(table, head, i, rows));
		});
	}
}
