// The dialogs of Say and Play: pick by typing and arrow keys, fill, send by Ctrl+Enter.
// Without it each picker is a plain list of links or radio buttons.
(() => {
  const POLLY = /^(aws|polly)\./i;
  const dialogs = "form[data-sounds]";

  // Pickers: a filter and a list

  const pickerOf = (element) => element.closest("[data-picker]");
  const options = (picker) =>
    [...picker.querySelectorAll("[data-options] [data-option]")].filter(
      (option) => !option.disabled && !option.closest("li").hidden,
    );

  const filter = (picker, text) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const item of picker.querySelectorAll("[data-options] > li:not([data-always])")) {
      const said = item.textContent.toLowerCase();
      item.hidden = !words.every((word) => said.includes(word));
      if (!item.hidden) found += 1;
    }
    const told = picker.querySelector("[data-found]");
    if (told) told.textContent = words.length ? `${found} found` : "";
  };

  const focusOn = (option) => {
    option.focus();
    if (option.type === "radio") choose(option);
  };

  const choose = (option) => {
    const picker = pickerOf(option);
    if (option.dataset.phrase) fill(option);
    else if (option.dataset.voiceId) takeVoice(picker, option.dataset.voiceId);
    else if (option.type === "radio" && !option.checked) {
      option.checked = true;
      option.dispatchEvent(new Event("change", { bubbles: true }));
    }
  };

  // What a phrase fills in; a text that was typed is not lost: the phrase goes where the cursor is

  const changed = (field) => field.dispatchEvent(new Event("input", { bubbles: true }));

  const fill = (option) => {
    const form = option.closest("form");
    const { text, kind, voice, language, phrase } = option.dataset;
    const area = form.elements.payload;
    const isTyped = area.value.trim() && area.value !== area.dataset.filled && kind === "text";
    if (isTyped) {
      area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    } else {
      area.value = text;
      area.dataset.filled = text;
      form.elements.payload_type.value = kind;
      if (voice) form.elements.voice.value = voice;
      if (language) form.elements.language.value = language;
    }
    form.elements.phrase.value = phrase;
    changed(area);
    showLanguage(form);
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  };

  const takeVoice = (picker, voice) => {
    const input = picker.querySelector("[data-filter]");
    input.value = voice;
    picker.querySelector(".options-drop").hidden = true;
    showLanguage(input.form);
    input.dataset.taken = "true"; // the focus that comes back must not open the list again
    input.focus();
    changed(input.form.elements.payload);
  };

  const showLanguage = (form) => {
    const place = form.querySelector("[data-tongue]"); // Play has none
    if (place) place.hidden = POLLY.test(form.elements.voice.value);
  };

  // Keys

  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (!(target instanceof Element)) return;
    const form = target.closest(dialogs);
    if (!form) return;
    if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.querySelector("button.send").click();
      return;
    }
    if (key === "Enter" && target.name === "phrase_name") {
      event.preventDefault(); // else the text would be sent
      form.querySelector(".save-phrase button").click();
      return;
    }
    const picker = pickerOf(target);
    if (!picker) return;
    const found = options(picker);
    if (target.matches("[data-filter]")) {
      if (key === "ArrowDown" && found.length) {
        event.preventDefault();
        focusOn(found[0]);
      } else if (key === "Enter") {
        event.preventDefault();
        const isOpen = !picker.querySelector(".options-drop")?.hidden;
        if (found.length && isOpen) take(found[0]);
      } else if (key === "Escape" && closeDrop(picker)) {
        event.preventDefault();
      }
      return;
    }
    const at = found.indexOf(target);
    if (at < 0) return;
    if (key === "ArrowDown" || key === "ArrowUp") {
      event.preventDefault();
      const next = at + (key === "ArrowDown" ? 1 : -1);
      const input = picker.querySelector("[data-filter]");
      if (next < 0) input?.focus();
      else if (next < found.length) focusOn(found[next]);
    } else if (key === "Enter") {
      event.preventDefault();
      take(target);
    } else if (key === "Escape" && closeDrop(picker)) {
      event.preventDefault();
      picker.querySelector("[data-filter]").focus();
    }
  });

  // Enter on a sound chooses it and goes on to who hears it
  const take = (option) => {
    choose(option);
    if (option.type === "radio") {
      const form = option.closest("form");
      (form.querySelector("[name=target_legs]:checked") || form.querySelector("button.send")).focus();
    }
  };

  const closeDrop = (picker) => {
    const drop = picker.querySelector(".options-drop:not([hidden])");
    if (drop) drop.hidden = true;
    return Boolean(drop);
  };

  document.addEventListener("click", (event) => {
    const option = event.target.closest(`${dialogs} [data-option]`);
    if (!option || option.type === "radio") return;
    event.preventDefault();
    choose(option);
  });

  document.addEventListener("input", (event) => {
    const { target } = event;
    if (!target.closest(dialogs)) return;
    if (target.matches("[data-filter=there]")) delete target.dataset.taken;
    else if (target.matches("[data-filter]")) filter(pickerOf(target), target.value);
    if (target.name === "voice") showLanguage(target.form);
  });

  document.addEventListener("focusout", (event) => {
    const picker = event.target.closest?.("[data-picker=voices]");
    if (!picker || !event.relatedTarget || picker.contains(event.relatedTarget)) return;
    closeDrop(picker);
    delete picker.querySelector("[data-filter]").dataset.taken;
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt } = event.detail;
    if (elt.matches("[data-filter=there]") && elt.dataset.taken) event.preventDefault();
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const { target } = event.detail;
    if (target.matches(".options-drop")) {
      const input = pickerOf(target).querySelector("[data-filter]");
      target.hidden = !pickerOf(target).contains(document.activeElement) || Boolean(input.dataset.taken);
      target.scrollIntoView({ block: "nearest" });
    }
    prepare(target);
  });

  document.addEventListener("tapeline:phrase", () => {
    for (const name of document.querySelectorAll(`${dialogs} [name=phrase_name]`)) name.value = "";
  });

  const prepare = (root) => {
    for (const hidden of root.querySelectorAll(`${dialogs} .with-script`)) {
      hidden.hidden = false;
    }
    for (const form of root.querySelectorAll(dialogs)) showLanguage(form);
    if (root.matches?.("#dialog-body")) {
      root.querySelector("[aria-invalid], [data-focus]")?.focus(); // it can be seen only now
    }
  };
  prepare(document);
})();
