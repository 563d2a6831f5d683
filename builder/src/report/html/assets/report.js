"use strict";
// The filter of the findings. Its state stands in the address (#severity=high&q=kubelet), so that a view can be linked.
// Texts are only ever compared, and written as text.
(() => {
  const form = document.getElementById("filter");
  if (!form) {
    return;
  }
  const part = (name) => document.getElementById(`filter-${name}`);
  const [search, severity, state, fails, count] = ["q", "severity", "state", "fails", "count"].map(part);
  const rows = [...document.querySelectorAll("tr[data-severity]")];
  const texts = rows.map((row) => row.textContent.toLowerCase());

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    let visible = 0;
    rows.forEach((row, at) => {
      const fits =
        (severity.value === "" || row.dataset.severity === severity.value) &&
        (state.value === "" || row.dataset.state === state.value) &&
        (!fails.checked || row.dataset.fails === "yes") &&
        words.every((word) => texts[at].includes(word));
      row.hidden = !fits;
      visible += fits ? 1 : 0;
    });
    count.textContent = `${visible} of ${rows.length} ${rows.length === 1 ? "finding" : "findings"}`;
  }

  function remember() {
    const values = [
      ["q", search.value],
      ["severity", severity.value],
      ["state", state.value],
      ["fails", fails.checked ? "yes" : ""],
    ];
    const wanted = new URLSearchParams(values.filter(([, value]) => value !== ""));
    history.replaceState(null, "", `#${wanted.toString() || "findings"}`);
  }

  // A plain anchor, such as #licences, says nothing about the filter.
  function recall() {
    const hash = location.hash.slice(1);
    if (!hash.includes("=")) {
      return;
    }
    const wanted = new URLSearchParams(hash);
    search.value = wanted.get("q") ?? "";
    for (const [select, name] of [[severity, "severity"], [state, "state"]]) {
      select.value = wanted.get(name) ?? "";
      // A word that is none of its options selects nothing at all.
      select.selectedIndex = Math.max(select.selectedIndex, 0);
    }
    fails.checked = wanted.get("fails") === "yes";
    document.getElementById("findings").scrollIntoView();
  }

  function changed() {
    show();
    remember();
  }

  for (const field of [search, severity, state, fails]) {
    field.addEventListener("input", changed);
  }
  part("clear").addEventListener("click", () => {
    search.value = severity.value = state.value = "";
    fails.checked = false;
    changed();
    search.focus();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => {
    recall();
    show();
  });
  form.hidden = false;
  recall();
  show();
})();
