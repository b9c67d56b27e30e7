/*
 * Pictures that bring themselves up to date, and what makes choosing and making them quicker.
 * Every page works without this file, by loading it again. What markup it looks for:
 *
 * Live pictures: [data-ideogram-status-url] (and -token) on an ancestor says where to ask about
 *   each [data-ideogram-image="<uuid>"][-status][-name] in it, until its status is a final one and
 *   it is not [-unsettled]. In a picture: [-label], [-sentence], [-left], [-error] get text, [-thumb]
 *   an img (-alt: its text), progress[-progress] a value. [-refresh][id] is fetched anew when one
 *   ends, [-refresh="each"] at each change; [-live], an aria-live region, tells each change once.
 * Forms sent in place: form or button[data-ideogram-swap="id id"] takes the regions with these ids,
 *   and the [-messages], from the page that comes back; an empty list on a button: not in place.
 * Choosing: [data-ideogram-slot][-choose-url][-choices] with input[-reference="<as it was>"],
 *   [-by-hand] that is hidden, button[-open], template[-dialog], [-chosen] holding [-chosen-thumb],
 *   [-chosen-text] and button[-undo], input[type=file][-upload], input[-address].
 * Typing: textarea[data-ideogram-limit="n"] is counted into the [-counter] beside it; the
 *   [-lettering="n"] beside it shows while words in quotation marks are longer than n.
 * Prices: [data-ideogram-make] with [-part="model|count|speed|style|shape"], [-make-label],
 *   [-for-model="id id"].
 * The field: [data-ideogram-field], a slot with input[-clear], input[-make-tick],
 *   textarea[-prompt], input[-offered], radios in [-drafts][id] (its -token and -request take the
 *   place of the old ones), button[-now], [-gaps="name name"][-before][-after], [-sent], [-empty].
 * [data-ideogram-show][hidden] is shown because this runs, [data-ideogram-hide] is hidden.
 */
"use strict";
{
    const FINAL = new Set(["draft", "completed", "failed", "cancelled"]);
    const FIRST = 2000;       // ms until the first look, and after each change
    const SLOWEST = 30000;
    const SLOWER = 1.25;      // each look without news waits this much longer
    const STILL = 30 * 60000; // without news for so long, we stop until the page is looked at again
    const MOST = 100;         // more would not fit into the line that servers take
    const PAUSE = 250;        // ms without typing before the gallery is searched

    const all = (root, selector) => [...root.querySelectorAll(selector)];
    const found = (root, name) => root.querySelector(`[data-ideogram-${name}]`);
    const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

    // --- live pictures --------------------------------------------------------------------------

    let [wait, timer, lastNews, asking] = [FIRST, null, Date.now(), false];

    const roots = () => all(document, "[data-ideogram-status-url]");
    const unfinished = (root) => all(root, "[data-ideogram-image]").filter(
        (one) => (!FINAL.has(one.dataset.ideogramStatus) || "ideogramUnsettled" in one.dataset) &&
            one.closest("[data-ideogram-status-url]") === root,
    );

    function schedule() {
        clearTimeout(timer);
        timer = null;
        if (document.hidden || Date.now() - lastNews > STILL) return;
        if (roots().some((root) => unfinished(root).length)) timer = setTimeout(look, wait);
    }

    async function look() {
        if (asking || document.hidden) return;
        asking = true;
        let news = false;
        try {
            // One request per address: a form with five pictures in it asks once.
            const asked = ({ dataset }) => `${dataset.ideogramStatusUrl} ${dataset.ideogramToken}`;
            for (const group of Object.values(Object.groupBy(roots(), asked))) {
                news = (await ask(group)) || news;
            }
        } catch {
            // Offline, or the server is being restarted: the next look comes later.
        } finally {
            asking = false;
        }
        if (news) lastNews = Date.now();
        wait = news ? FIRST : Math.min(wait * SLOWER, SLOWEST);
        schedule();
    }

    async function ask(group) {
        const ids = new Set(group.flatMap(unfinished).map((one) => one.dataset.ideogramImage));
        if (!ids.size) return false;
        const { ideogramStatusUrl, ideogramToken = "" } = group[0].dataset;
        const asked = [...ids].slice(0, MOST).map((id) => id.replaceAll("-", "")).join(",");
        const query = { ids: asked, token: ideogramToken };
        const answer = await fetch(`${ideogramStatusUrl}?${new URLSearchParams(query)}`);
        if (!answer.ok) return false;
        const { images } = await answer.json();
        return group.map((root) => bringUpToDate(root, images)).some(Boolean);
    }

    function bringUpToDate(root, images) {
        const told = new Map();
        let [news, ended] = [false, false];
        for (const image of images) {
            for (const one of all(root, `[data-ideogram-image="${CSS.escape(image.uuid)}"]`)) {
                const changed = one.dataset.ideogramStatus !== image.status;
                const settled = "ideogramUnsettled" in one.dataset && image.settled;
                if (settled) delete one.dataset.ideogramUnsettled;
                news = fill(one, image) || changed || settled || news;
                ended ||= settled || (changed && image.finished);
                if (!changed) continue;
                one.dataset.ideogramStatus = image.status;
                const name = one.dataset.ideogramName;
                if (name || !told.has(image.uuid)) {
                    told.set(image.uuid, name ? `${name}: ${image.label}` : image.label);
                }
            }
        }
        if (told.size) speak(root, [...told.values()].join(". "));
        if (ended || told.size) refresh(root, ended ? "" : '="each"');
        return news;
    }

    function fill(one, image) {
        // The parts that belong to this picture and not to another one inside it.
        const parts = (selector) => all(one, selector).filter(
            (part) => part.closest("[data-ideogram-image]") === one,
        );
        const write = (selector, text) => parts(selector).forEach((part) => {
            if (part.textContent !== text) part.textContent = text;
        });
        let news = false;
        write("[data-ideogram-label]", image.label);
        write("[data-ideogram-sentence]", image.sentence);
        write("[data-ideogram-left]", image.left);
        write("[data-ideogram-error]", image.error || "");
        for (const bar of parts("progress[data-ideogram-progress]")) {
            bar.hidden = FINAL.has(image.status);
            if (image.progress === null) {
                bar.removeAttribute("value");
            } else if (bar.value !== image.progress) {
                bar.value = image.progress;
                news = true;
            }
        }
        parts("[data-ideogram-thumb]").forEach((box) => show(box, image));
        return news;
    }

    function show(box, image) {
        let picture = box.querySelector("img");
        if (!image.thumbnail || picture?.getAttribute("src") === image.thumbnail) return;
        if (!picture) {
            picture = document.createElement("img");
            picture.alt = box.dataset.ideogramAlt || "";
            picture.decoding = "async";
            box.append(picture);
        }
        if (image.width && image.height) {
            picture.width = image.width;
            picture.height = image.height;
        }
        picture.src = image.thumbnail;
    }

    function speak(near, text) {
        const live = found(near, "live") || found(document, "live");
        if (live && text) live.textContent = text;
    }

    function wakeUp() {
        if (document.hidden) return;
        [lastNews, wait] = [Date.now(), FIRST];
        clearTimeout(timer);
        look();
    }

    // --- regions of a page that came back -------------------------------------------------------

    // What can be done next, and the large picture, are the server's to say.
    async function refresh(root, when) {
        const ids = all(root, `[data-ideogram-refresh${when}][id]`).map((region) => region.id);
        const answer = ids.length && await fetch(location.href);
        if (answer.ok) replaceRegions(ids, parsed(await answer.text()));
    }

    function replaceRegions(ids, page) {
        const pairs = ids
            .map((id) => [document.getElementById(id), page.getElementById(id)])
            .filter(([old, fresh]) => old && fresh);
        for (const [old, fresh] of pairs) {
            const held = old.contains(document.activeElement) && document.activeElement;
            for (const box of all(old, "input:is([type=radio], [type=checkbox])")) {
                const same = box.checked !== box.defaultChecked && counterpart(fresh, box);
                if (same) same.checked = box.checked;
            }
            old.replaceWith(document.adoptNode(fresh));
            begin(fresh);
            if (held) {
                fresh.tabIndex = -1; // for the case that the control is gone
                (counterpart(fresh, held) || fresh).focus();
            }
        }
        schedule();
        return pairs.length;
    }

    // The control that stands where this one stood: the same id, or else the same name and value.
    function counterpart(region, control) {
        const same = (name) => one => one.getAttribute(name) === control.getAttribute(name);
        const alike = all(region, control.localName);
        return (control.id && alike.find(same("id"))) ||
            alike.find((one) => ["name", "value", "href", "formaction"].every((n) => same(n)(one)));
    }

    // --- forms sent in place --------------------------------------------------------------------

    const sending = new WeakMap(); // a form, and the button whose answer is awaited

    async function sendInPlace(event) {
        const form = event.target;
        const button = event.submitter;
        const list = button?.dataset.ideogramSwap ?? form.dataset.ideogramSwap;
        if (!list || event.defaultPrevented) return;
        // A second press of one button is none; of another one, the browser goes its own way.
        if (!sending.has(form) || sending.get(form) === button) event.preventDefault();
        if (sending.has(form)) return;
        sending.set(form, button);
        // Not form.action: an input of that name would be in its place.
        const given = (name) => button?.getAttribute(`form${name}`) ?? form.getAttribute(name) ?? "";
        const address = new URL(given("action"), location.href);
        const data = new FormData(form, button);
        const post = given("method").toLowerCase() === "post";
        if (!post) address.search = new URLSearchParams(data);
        try {
            const answer = await fetch(address, post ? { method: "POST", body: data } : {});
            if (!answer.ok) throw new Error(String(answer.status));
            const page = parsed(await answer.text());
            if (!replaceRegions(list.split(" "), page)) return location.assign(answer.url);
            if (answer.redirected) history.replaceState(null, "", answer.url);
            showMessages(form, page);
        } catch {
            // The browser shows what went wrong better than we could. Ids keep it from paying twice.
            sending.set(form, form);
            form.requestSubmit(button);
        } finally {
            sending.delete(form);
        }
    }

    function showMessages(near, page) {
        const fresh = found(page, "messages");
        if (!fresh) return;
        speak(near, all(fresh, "li").map((one) => one.textContent.trim()).join(" "));
        found(document, "messages")?.replaceWith(document.adoptNode(fresh));
    }

    // --- typing and prices ----------------------------------------------------------------------

    function count(area, text = area.value) {
        const counter = found(area.parentElement, "counter");
        if (counter) {
            // As the provider counts: UTF-16 code units, a line end being one.
            const limit = Number(area.dataset.ideogramLimit);
            counter.textContent = `${text.length} / ${limit}`;
            counter.classList.toggle("ideogram-over", text.length > limit);
            counter.hidden = false;
        }
        const warning = found(area.parentElement, "lettering");
        if (warning) {
            const quoted = text.match(/["“”„«»][^"“”„«»]+["“”„«»]/g) || [];
            const longest = Math.max(0, ...quoted.map((words) => words.length - 2));
            warning.hidden = longest <= Number(warning.dataset.ideogramLettering);
        }
    }

    function priceTags(box) {
        const part = (name) => box.querySelector(`[data-ideogram-part="${name}"]`);
        const value = (name) =>
            (part(name)?.querySelector("input:checked") ?? part(name))?.value ?? "";
        const model = box.querySelector('[data-ideogram-part="model"] input:checked') || box;
        if (!model.dataset.ideogramLabels) return;
        const labels = JSON.parse(model.dataset.ideogramLabels);
        const label = (labels[value("speed")] || labels[""])[Number(value("count") || 1) - 1];
        for (const button of all(box, "[data-ideogram-make-label]")) button.textContent = label;
        if (model === box) return;
        restrict(part("style"), JSON.parse(model.dataset.ideogramStyles), (v) => v.toLowerCase());
        restrict(part("shape"), JSON.parse(model.dataset.ideogramShapes), (v) => v);
        for (const hint of all(box, "[data-ideogram-for-model]")) {
            hint.hidden = !hint.dataset.ideogramForModel.split(" ").includes(model.value);
        }
    }

    // What is chosen stays visible: the server's sentence explains it, silence would not.
    function restrict(part, known, key) {
        for (const one of part ? all(part, "option, input") : []) {
            const chosen = one.selected || one.checked;
            const fits = chosen || !one.value || !known.length || known.includes(key(one.value));
            (one.closest("label") || one).hidden = !fits;
            one.disabled = !fits;
        }
    }

    // --- choosing from the gallery --------------------------------------------------------------

    let [dialog, choosing, request] = [null, null, 0]; // one for the page; the slot it is open for

    class Slot {
        constructor(root) {
            this.root = root;
            this.reference = found(root, "reference");
            this.inputs = { upload: found(root, "upload"), address: found(root, "address") };
            this.chosen = found(root, "chosen");
            this.opener = found(root, "open");
            if (this.reference && this.opener && root.dataset.ideogramChooseUrl) {
                this.opener.hidden = false;
                all(root, "[data-ideogram-by-hand]").forEach((one) => { one.hidden = true; });
                if (this.reference.value !== this.original && this.chosen?.hidden) {
                    this.showChosen(this.reference.value, "");
                }
            }
            root.addEventListener("click", (event) => this.clicked(event.target));
            root.addEventListener("change", (event) => this.changed(event.target));
        }

        get original() { return this.reference?.dataset.ideogramReference ?? ""; }

        clicked(target) {
            if (target.closest("[data-ideogram-open]")) {
                openDialog(this);
            } else if (target.closest("[data-ideogram-undo]")) {
                this.unchoose();
                this.opener.focus();
            }
        }

        changed(input) {
            const way = Object.keys(this.inputs).find((one) => this.inputs[one] === input);
            if (way && input.value) this.only(way);
        }

        // What was chosen last holds; the server refuses two at once.
        only(way) {
            if (way !== "choice" && this.reference) this.unchoose();
            for (const [one, input] of Object.entries(this.inputs)) {
                if (way !== one && input) input.value = "";
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
            const picture = found(this.root, "chosen-thumb");
            picture.hidden = !thumb;
            if (thumb) picture.src = thumb;
            const text = `${this.root.dataset.textChosen} ${name}`;
            found(this.root, "chosen-text").textContent = text;
            this.chosen.hidden = false;
            speak(this.root, text);
        }
    }

    function openDialog(slot) {
        if (!dialog) {
            const template = found(slot.root, "dialog") || found(document, "dialog");
            dialog = document.importNode(template.content, true).firstElementChild;
            document.body.append(dialog);
            wire(dialog);
        }
        choosing = slot;
        found(dialog, "search").value = "";
        dialog.showModal();
        load(1);
    }

    function wire(box) {
        let pause = 0;
        found(box, "search").addEventListener("input", () => {
            clearTimeout(pause);
            pause = setTimeout(() => load(1), PAUSE);
        });
        box.addEventListener("click", ({ target }) => {
            const choice = target.closest("[data-ideogram-choice]");
            const page = target.closest("[data-ideogram-page]");
            if (choice) {
                const { ideogramChoice, ideogramName } = choice.dataset;
                choosing.choose(ideogramChoice, ideogramName, choice.querySelector("img")?.src);
                box.close();
            } else if (page) {
                load(page.dataset.ideogramPage);
            } else if (target === box || target.closest("[data-ideogram-close]")) {
                box.close();
            }
        });
        box.addEventListener("close", () => choosing.opener.focus());
    }

    async function load(page) {
        const mine = ++request;
        const note = found(dialog, "note");
        const texts = choosing.root.dataset;
        const q = found(dialog, "search").value;
        const query = new URLSearchParams({ q, page, choices: texts.ideogramChoices ?? "" });
        note.textContent = texts.textLoading;
        try {
            const answer = await fetch(`${texts.ideogramChooseUrl}?${query}`);
            if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
            const html = await answer.text();
            if (mine !== request) return;
            found(dialog, "results").replaceChildren(...parsed(html).body.childNodes);
            note.textContent = "";
            dialog.scrollTop = 0;
        } catch {
            if (mine === request) note.textContent = texts.textFailed;
        }
    }

    // --- the picture field ----------------------------------------------------------------------

    class Field extends Slot {
        constructor(root) {
            super(root);
            this.clear = found(root, "clear");
            this.tick = found(root, "make-tick");
            this.prompt = found(root, "prompt");
            this.edited = null;
            if (this.prompt) {
                this.offered = found(root, "offered")?.value ?? this.prompt.value;
                root.addEventListener("input", (event) => {
                    if (event.target === this.prompt) this.typed();
                });
                this.showPrompt();
            }
        }

        // Read each time: Django renumbers the rows of an inline when one is removed.
        get name() { return this.prompt.name.replace(/-prompt$/, ""); }

        clicked(target) {
            super.clicked(target);
            if (target.closest("[data-ideogram-now]")) this.makeNow(target);
        }

        changed(input) {
            super.changed(input);
            if (input === this.clear && input.checked) {
                this.only("clear");
            } else if (input === this.tick) {
                this.ticked();
            } else if (input.type === "radio" && input.closest("[data-ideogram-drafts]")) {
                this.only("draft");
            }
        }

        only(way) {
            super.only(way);
            if (way !== "clear" && this.clear) this.clear.checked = false;
            if (way !== "make" && this.tick?.checked) {
                this.tick.checked = false;
                if (way !== "draft") this.ticked(); // a draft was made from these very words
            }
            for (const draft of all(this.root, "[data-ideogram-drafts] input[type=radio]")) {
                if (way !== "draft") draft.checked = draft.value === this.original;
            }
        }

        // A prompt that was changed is meant; taking the tick away takes the change back.
        typed() {
            if (this.tick && !this.tick.checked && this.prompt.value !== this.offered) {
                this.tick.checked = true;
                this.only("make");
            }
            this.showPrompt();
        }

        ticked() {
            if (this.tick.checked) this.only("make");
            const other = this.tick.checked ? this.edited : this.offered;
            this.edited = this.tick.checked ? null : this.prompt.value;
            this.prompt.value = other ?? this.prompt.value;
            this.showPrompt();
        }

        // The prompt as it will be sent, and the names of the gaps that nothing fills.
        final() {
            const empty = [];
            const prefix = this.name.slice(0, this.name.lastIndexOf("-") + 1);
            let text = this.prompt.value;
            for (const name of (found(this.root, "gaps")?.dataset.ideogramGaps || "").split(" ")) {
                const input = this.root.closest("form")?.elements.namedItem(prefix + name);
                const readable = input && "value" in input && input.type !== "checkbox";
                if (!readable || !text.includes(`{${name}}`)) continue;
                const words = valueOf(input);
                text = text.split(`{${name}}`).join(words);
                const label = input.labels?.[0]?.textContent.replace(/\s*:\s*$/, "");
                if (!words) empty.push(label || name);
            }
            return { text, empty };
        }

        showPrompt() {
            const { text: own, empty } = this.final();
            const { textSent, textEmpty } = this.root.dataset;
            const around = found(this.root, "gaps")?.dataset ?? {}; // a prompt profile's words
            const text = [around.ideogramBefore, own, around.ideogramAfter].filter(Boolean).join(" ");
            const write = (line, words) => { if (line) line.textContent = words; };
            write(found(this.root, "sent"), text === this.prompt.value ? "" : `${textSent} “${text}”`);
            write(found(this.root, "empty"), empty.length ? `${textEmpty} ${empty.join(", ")}` : "");
            count(this.prompt, text);
        }

        // Drafts in place, while the form is still being filled in. The first one is chosen.
        async makeNow(button) {
            const form = this.root.closest("form");
            const data = new FormData();
            for (const input of all(this.root, "input, select, textarea")) {
                const counts = input.name.startsWith(`${this.name}-`) && input.type !== "file" &&
                    (input.checked || !["radio", "checkbox"].includes(input.type));
                if (counts) data.set(input.name.slice(this.name.length + 1), input.value);
            }
            data.set("name", this.name);
            data.set("prompt", this.final().text);
            data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken?.value ?? "");
            button.disabled = true;
            try {
                const address = this.root.dataset.ideogramMakeUrl;
                const answer = await fetch(address, { method: "POST", body: data });
                const page = parsed(await answer.text());
                const ids = [found(this.root, "drafts").id, `id_${this.name}-left`];
                if (!replaceRegions(ids, page)) throw new Error(String(answer.status));
                this.made(found(this.root, "drafts"));
            } catch {
                speak(this.root, this.root.dataset.textFailed);
            } finally {
                button.disabled = false;
                // Disabled, it has lost the focus; but nobody who went on is brought back.
                if (document.activeElement === document.body) button.focus();
            }
        }

        made(drafts) {
            const { ideogramToken, ideogramRequest, ideogramTold } = drafts.dataset;
            const request = this.root.querySelector(`[name="${CSS.escape(this.name)}-request"]`);
            if (ideogramToken) this.root.dataset.ideogramToken = ideogramToken;
            if (ideogramRequest) request.value = ideogramRequest; // the next press: others
            if (drafts.querySelector("input:checked")) this.only("draft");
            speak(this.root, ideogramTold);
            wakeUp();
        }
    }

    const valueOf = (input) => (input.selectedOptions
        ? [...input.selectedOptions].map((one) => (one.value ? one.label : "")).join(", ")
        : input.value
    ).split(/\s+/).filter(Boolean).join(" ");

    // --- start ----------------------------------------------------------------------------------

    const fields = new WeakMap();

    function begin(scope) {
        const within = (selector) =>
            [...(scope.matches?.(selector) ? [scope] : []), ...all(scope, selector)];
        within("[data-ideogram-show]").forEach((one) => { one.hidden = false; });
        within("[data-ideogram-hide]").forEach((one) => { one.hidden = true; });
        within("textarea[data-ideogram-limit]").forEach((area) => count(area));
        within("[data-ideogram-make]").forEach(priceTags);
        for (const root of within("[data-ideogram-field], [data-ideogram-slot]")) {
            if (fields.has(root) || root.closest(".empty-form")) continue;
            fields.set(root, root.matches("[data-ideogram-field]") ? new Field(root) : new Slot(root));
        }
    }

    function start() {
        begin(document);
        document.addEventListener("submit", sendInPlace);
        document.addEventListener("input", ({ target }) => {
            if (target.matches("textarea[data-ideogram-limit]:not([data-ideogram-prompt])")) {
                count(target);
            }
            // Prompts show what the rest of the form says by now.
            for (const root of all(target.form || document, "[data-ideogram-field]")) {
                const field = fields.get(root);
                if (field?.prompt && target !== field.prompt) field.showPrompt();
            }
        });
        document.addEventListener("change", ({ target }) => {
            const box = target.closest("[data-ideogram-make]");
            if (box) priceTags(box);
        });
        // The browser may put back what was typed before, after this script has run.
        addEventListener("pageshow", () => begin(document));
        document.addEventListener("visibilitychange", wakeUp);
        document.addEventListener("formset:added", ({ target }) => {
            begin(target);
            wakeUp();
        });
        addEventListener("focus", () => { if (timer === null) wakeUp(); });
        schedule();
    }

    document.addEventListener("DOMContentLoaded", start);
}
