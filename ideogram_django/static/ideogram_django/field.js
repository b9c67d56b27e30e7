// The picture field: the gallery dialog, one way at a time, and what the prompt will be.
// Without this file the form works too; the field is then plain inputs.
"use strict";
(() => {
  const found = (root, name) => root.querySelector(`[data-ideogram-${name}]`);
  let dialog = null;
  let choosing = null;
  let request = 0;

  // --- one way at a time -----------------------------------------------------------------------

  class Field {
    constructor(root) {
      this.root = root;
      this.reference = found(root, "reference");
      this.upload = found(root, "upload");
      this.clear = found(root, "clear");
      this.make = found(root, "make");
      this.prompt = found(root, "prompt");
      this.chosen = found(root, "chosen");
      this.edited = null;
      if (this.reference && root.dataset.ideogramChooseUrl) {
        found(root, "open").hidden = false;
        root.querySelectorAll("[data-ideogram-by-hand]").forEach((part) => { part.hidden = true; });
        if (this.reference.value !== this.original) this.showChosen(this.reference.value, "");
      }
      if (this.prompt) {
        this.offered = this.prompt.value;
        const offered = root.querySelector("input[type=hidden][name$='-offered']");
        if (offered) this.offered = offered.value;
        this.showPrompt();
      }
      root.addEventListener("click", (event) => this.clicked(event));
      root.addEventListener("change", (event) => this.changed(event.target));
      root.addEventListener("input", (event) => {
        if (event.target === this.prompt) this.typed();
      });
    }

    get original() { return this.reference ? this.reference.dataset.ideogramReference : ""; }

    clicked(event) {
      if (event.target.closest("[data-ideogram-open]")) openDialog(this);
      if (event.target.closest("[data-ideogram-undo]")) {
        this.unchoose();
        found(this.root, "open").focus();
      }
    }

    changed(input) {
      if (input === this.upload && input.value) this.only("upload");
      if (input === this.clear && input.checked) this.only("clear");
      if (input === this.make) this.ticked();
    }

    // What was chosen last holds; the server refuses two at once.
    only(way) {
      if (way !== "choice" && this.reference) this.unchoose();
      if (way !== "upload" && this.upload) this.upload.value = "";
      if (way !== "clear" && this.clear) this.clear.checked = false;
      if (way !== "make" && this.make && this.make.checked) {
        this.make.checked = false;
        this.ticked();
      }
    }

    choose(uuid, name, thumb) {
      this.only("choice");
      this.reference.value = uuid;
      this.showChosen(name, thumb);
      this.reference.dispatchEvent(new Event("change", { bubbles: true }));
    }

    unchoose() {
      this.reference.value = this.original;
      if (this.chosen) this.chosen.hidden = true;
    }

    showChosen(name, thumb) {
      const image = found(this.root, "chosen-thumb");
      image.hidden = !thumb;
      if (thumb) image.src = thumb; else image.removeAttribute("src");
      const text = `${this.root.dataset.textChosen} ${name}`;
      found(this.root, "chosen-text").textContent = text;
      this.chosen.hidden = false;
      this.say(text);
    }

    // A prompt that was changed is meant; taking the tick away takes the change back.
    typed() {
      if (this.prompt.value !== this.offered && !this.make.checked) {
        this.make.checked = true;
        this.only("make");
      }
      this.showPrompt();
    }

    ticked() {
      if (this.make.checked) {
        this.only("make");
        if (this.edited !== null) this.prompt.value = this.edited;
        this.edited = null;
      } else if (this.prompt.value !== this.offered) {
        this.edited = this.prompt.value;
        this.prompt.value = this.offered;
      }
      this.showPrompt();
    }

    // --- the prompt as it will be sent -----------------------------------------------------------

    showPrompt() {
      const line = found(this.root, "gaps");
      if (!line) return;
      const names = line.dataset.ideogramGaps.split(" ");
      let text = this.prompt.value;
      for (const name of names) {
        const gap = `{${name}}`;
        if (!text.includes(gap)) continue;
        const value = this.formValue(name);
        if (value !== null) text = text.split(gap).join(value);
      }
      line.textContent = text === this.prompt.value ? "" : `${this.root.dataset.textSent} “${text}”`;
    }

    formValue(name) {
      const own = this.root.querySelector("textarea").name.replace(/-prompt$/, "");
      const prefix = own.includes("-") ? own.slice(0, own.lastIndexOf("-") + 1) : "";
      const form = this.root.closest("form");
      const input = form && form.elements.namedItem(prefix + name);
      if (!input || !("value" in input) || input.type === "checkbox") return null;
      const value = input.selectedOptions
        ? Array.from(input.selectedOptions, (option) => (option.value ? option.label : "")).join(", ")
        : input.value;
      return value.split(/\s+/).filter(Boolean).join(" ");
    }

    say(text) {
      const live = found(this.root, "live");
      if (live && live.textContent !== text && (!this.chosen || this.chosen.hidden)) {
        live.textContent = text;
      }
    }
  }

  // --- the gallery -----------------------------------------------------------------------------

  function openDialog(field) {
    if (!dialog) {
      dialog = found(field.root, "dialog").content.firstElementChild.cloneNode(true);
      document.body.append(dialog);
      wire(dialog);
    }
    choosing = field;
    found(dialog, "search").value = "";
    dialog.showModal();
    load(1);
  }

  function wire(box) {
    let timer = 0;
    const search = found(box, "search");
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => load(1), 250);
    });
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      clearTimeout(timer);
      load(1);
    });
    box.addEventListener("click", (event) => {
      const choice = event.target.closest("[data-ideogram-choice]");
      const page = event.target.closest("[data-ideogram-page]");
      if (choice) {
        const thumb = choice.querySelector("img");
        choosing.choose(
          choice.dataset.ideogramChoice, choice.dataset.ideogramName, thumb ? thumb.src : "",
        );
        box.close();
      } else if (page) {
        load(page.dataset.ideogramPage);
      } else if (event.target === box || event.target.closest("[data-ideogram-close]")) {
        box.close();
      }
    });
    box.addEventListener("close", () => found(choosing.root, "open").focus());
  }

  async function load(page) {
    const mine = ++request;
    const note = found(dialog, "note");
    const results = found(dialog, "results");
    const texts = choosing.root.dataset;
    const url = new URL(texts.ideogramChooseUrl, window.location.href);
    url.searchParams.set("q", found(dialog, "search").value);
    url.searchParams.set("page", page);
    note.textContent = texts.textLoading;
    try {
      const response = await fetch(url, {
        credentials: "same-origin", headers: { "X-Requested-With": "XMLHttpRequest" },
      });
      if (!response.ok || response.redirected) throw new Error(String(response.status));
      const html = await response.text();
      if (mine !== request) return;
      results.innerHTML = html;
      note.textContent = "";
      dialog.scrollTop = 0;
    } catch {
      if (mine === request) note.textContent = texts.textFailed;
    }
  }

  // --- every field on the page, also those that come later --------------------------------------

  const fields = new WeakMap();

  function start(scope) {
    const roots = Array.from(scope.querySelectorAll("[data-ideogram-field]"));
    for (const root of roots) {
      if (fields.has(root) || root.closest(".empty-form")) continue;
      fields.set(root, new Field(root));
    }
  }

  function ready() {
    start(document);
    document.addEventListener("formset:added", (event) => start(event.target));
    // Prompts show what the rest of the form says by now.
    document.addEventListener("input", (event) => {
      const form = event.target.form;
      if (!form) return;
      form.querySelectorAll("[data-ideogram-field]").forEach((root) => {
        const field = fields.get(root);
        if (field && field.prompt && event.target !== field.prompt) field.showPrompt();
      });
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
})();
