/* What stands on the screen besides the picture. Each view is rows of things that can have the focus; the focus is
   remembered by name, so that it survives a redraw and is never lost. */
(function () {
  'use strict';
  var Views = TV.Views = {}, AHEAD = 8;

  /* --- making elements --- */
  function el(tag, name, text) {
    var made = document.createElement(tag);
    if (name) { made.className = name; }
    if (text !== undefined && text !== null) { made.textContent = text; }
    for (var i = 3; i < arguments.length; i++) { if (arguments[i]) { made.appendChild(arguments[i]); } }
    return made;
  }
  function stop(name, className, act, content) {
    var made = el('div', 'stop ' + (className || ''));
    made.setAttribute('tabindex', '-1');
    made.setAttribute('role', 'button');
    made.setAttribute('data-stop', name);
    made.act = act;
    (content || []).forEach(function (part) { if (part) { made.appendChild(part); } });
    return made;
  }
  function byId(id) { return document.getElementById(id); }
  function setText(id, text) { var e = byId(id); if (e.textContent !== text) { e.textContent = text; } }
  function show(id, on) { byId(id).classList.toggle('shown', !!on); }
  Views.stop = stop; Views.el = el; Views.byId = byId; Views.setText = setText; Views.show = show;

  /* --- focus: rows of stops --- */
  var rows = [], at = { row: 0, column: 0 }, name = null, remembered = {}, bare = '';

  Views.setRows = function (made, wanted) {
    rows = made.filter(function (row) { return row.length; });
    /* A page that has just been read gets the focus that waited on its tab: its first row, or where that says to start. */
    var arrived = bare === Views.view && rows.length > 1 && name === 'tab-' + Views.TABS[current()];
    bare = rows.length > 1 ? '' : Views.view;
    var found = (arrived ? find(wanted) : find(wanted || name) || find(remembered[Views.view])) || (rows.length > 1 ? { row: rows[1].start || 1, column: rows[1].first || 0 } : { row: 0, column: current() });
    Views.focusAt(found.row, found.column);
  };
  /* Where a page has nothing to choose, its tab has the focus. */
  function current() { return Math.max(0, Views.TABS.indexOf(String(Views.view).split('-')[0])); }
  function find(wanted) {
    for (var r = 0; wanted && r < rows.length; r++) {
      for (var c = 0; c < rows[r].length; c++) {
        if (rows[r][c].getAttribute('data-stop') === wanted) { return { row: r, column: c }; }
      }
    }
    return null;
  }
  Views.focusAt = function (row, column) {
    if (!rows.length) { return; }
    at.row = Math.max(0, Math.min(row, rows.length - 1));
    at.column = Math.max(0, Math.min(column, rows[at.row].length - 1));
    if (rows[at.row].reach) { rows[at.row].reach(at.column); }
    var before = document.querySelector('.stop.focus'), stopped = rows[at.row][at.column];
    if (before && before !== stopped) { before.classList.remove('focus'); }
    stopped.classList.add('focus');
    name = stopped.getAttribute('data-stop');
    remembered[Views.view] = name;
    stopped.focus({ preventScroll: true });
    reveal(stopped);
  };
  Views.focused = function () { return rows.length ? rows[at.row][at.column] : null; };
  Views.focusNamed = function (wanted) { var found = find(wanted); if (found) { Views.focusAt(found.row, found.column); } };
  Views.move = function (direction) {
    var row = at.row, column = at.column;
    bare = '';
    if (direction === 'left' && rows[row].length === 1 && row > 1 && rows[1].length > 1 && !rows[1].keeps) { row = 1; column = 1; }
    else if (direction === 'left') { column--; } else if (direction === 'right') { column++; }
    else {
      row += direction === 'up' ? -1 : 1;
      if (row < 0 || row >= rows.length) { return; }
      rows[at.row].column = at.column;
      column = nearest(rows[row], rows[at.row][at.column]);
    }
    Views.focusAt(row, column);
  };
  /* In a shelf one has been to, where one was; in rows of unlike things, what lies under the focus. */
  function nearest(row, from) {
    if (row.column !== undefined && row.keeps) { return row.column; }
    var middle = centre(from), best = 0, distance = Infinity;
    row.forEach(function (candidate, index) {
      if (!candidate.parentNode) { return; }
      var d = Math.abs(centre(candidate) - middle);
      if (d < distance) { distance = d; best = index; }
    });
    return best;
  }
  function centre(element) { var box = element.getBoundingClientRect(); return box.left + box.width / 2; }

  /* Move the shelf and the page so that what has the focus is seen whole. */
  function reveal(stopped) {
    var shelf = closest(stopped, 'shelf-line'), page = closest(stopped, 'scroll');
    if (shelf) { slide(shelf, 'X', stopped.offsetLeft, stopped.offsetWidth, shelf.parentNode.clientWidth, 0.5); }
    if (page) {
      var part = closest(stopped, 'scroll-part') || stopped;
      var top = slide(page, 'Y', part.offsetTop, part.offsetHeight, page.parentNode.clientHeight, part === stopped ? 0.5 : 0);
      if (part !== stopped) { hideFar(page, top, top + page.parentNode.clientHeight); }
    }
  }
  /* Shelves that nobody sees are not painted: an old box draws what is hidden as slowly as what is not. */
  function hideFar(page, top, bottom) {
    var places = [], i;
    for (i = 0; i < page.children.length; i++) { places.push([page.children[i].offsetTop, page.children[i].offsetHeight]); }
    for (i = 0; i < places.length; i++) { page.children[i].classList.toggle('far', places[i][0] > bottom || places[i][0] + places[i][1] < top); }
  }
  function slide(moving, axis, start, size, room, rest) {
    var whole = axis === 'X' ? moving.scrollWidth : moving.scrollHeight;
    var shift = Math.min(Math.max(0, start - (room - size) * rest), Math.max(0, whole - room));
    moving.style.transform = 'translate' + axis + '(' + -Math.round(shift) + 'px)';
    return shift;
  }
  function closest(element, className) {
    while (element && element !== document.body) {
      if (element.classList && element.classList.contains(className)) { return element; }
      element = element.parentNode;
    }
    return null;
  }

  /* --- the frame: tabs, clock, keys --- */
  Views.TABS = ['home', 'listing', 'replay', 'library', 'search', 'desk', 'settings'];
  var tabs = [];
  Views.drawTabs = function (choose) {
    var nav = byId('tabs');
    nav.textContent = '';
    tabs = Views.TABS.map(function (tab) {
      var made = stop('tab-' + tab, 'tab' + (Views.view.split('-')[0] === tab ? ' current' : ''), function () { choose(tab); }, [el('span', '', TV.say(tab))]);
      nav.appendChild(made);
      return made;
    });
    return tabs;
  };
  Views.draw = function (view, parts, footer, wanted) {
    var main = byId('view'), drawn = parts(main);
    Views.view = view;
    byId('keys').textContent = footer;
    byId('shell').className = byId('shell').className.replace(/ ?on-[\w-]+/g, '') + ' on-' + view;
    Views.setRows([tabs].concat(drawn), wanted);
  };

  /* --- cards and shelves --- */
  function card(programme, act, prefix) {
    var picture = el('div', 'picture hue-' + hue(programme.section));
    if (programme.poster) {
      var image = el('img');
      image.alt = '';
      image.src = programme.poster;
      image.onerror = function () { if (image.parentNode) { image.parentNode.removeChild(image); } };
      picture.appendChild(el('span', 'picture-title', programme.title));
      picture.appendChild(image);
    } else { picture.appendChild(el('span', 'picture-title', programme.title)); }
    picture.appendChild(el('span', 'length', programme.starts_ms ? TV.hhmm(programme.starts_ms) : TV.length(programme.duration_ms)));
    if (programme.number) { picture.appendChild(el('span', 'cardnumber', String(programme.number))); }
    if (programme.resume_ms) {
      var line = el('i', 'resume');
      line.style.width = (100 * programme.resume_ms / programme.duration_ms).toFixed(1) + '%';
      picture.appendChild(line);
    }
    if (!programme.stored) { picture.appendChild(el('span', 'absent', TV.say('not_stored'))); }
    var made = stop((prefix || '') + programme.release, 'card' + (programme.stored ? '' : ' dim'), function () { act(programme); },
      [picture, el('div', 'card-title', programme.title)]);
    made.setAttribute('data-title', programme.title);
    return made;
  }
  function hue(section) {
    var order = ['dangjian', 'zhengce', 'dangshi', 'xianfeng', 'zhifu', 'nongji', 'shichang', 'wenyu', 'kepu', 'fazhi', 'qingnian', 'xiangtu'];
    var found = order.indexOf(section);
    return found < 0 ? 0 : found;
  }
  function shelf(title, programmes, act, prefix, poster) {
    var line = el('div', 'shelf-line'), row = [];
    if (poster) {
      var drawn = el('img');
      drawn.alt = '';
      drawn.src = poster;
      line.appendChild(el('div', 'shelf-poster', null, drawn));
    }
    programmes.forEach(function (programme) { row.push(card(programme, act, prefix)); });
    row.keeps = true;
    /* Cards far beyond the edge stand in no document yet: a full library is laid out with every key. */
    var standing = 0;
    row.reach = function (upTo) { for (; standing < Math.min(row.length, upTo + AHEAD); standing++) { line.appendChild(row[standing]); } };
    row.reach(0);
    var whole = el('section', 'shelf scroll-part', null, el('h2', '', title), el('div', 'shelf-window', null, line));
    return { element: whole, row: row };
  }
  Views.shelf = shelf; Views.empty = empty;
  function empty(what, how) { return el('div', 'empty', null, el('p', 'empty-what', TV.say(what)), el('p', 'empty-how', TV.say(how))); }

  /* --- 首页 --- */
  Views.home = function (data, acts) {
    return function (main) {
      var out = [], state = data.state, item = state && state.item, play = state && state.play;
      main.textContent = '';
      var offer = TV.Evening.offer(state), near = offer && TV.Evening.isNear(state, TV.now());
      document.documentElement.classList.toggle('evening', !!near);
      if (near) {
        var evening = TV.Evening.card(offer, acts.study);
        main.appendChild(evening.element);
        return [evening.row];
      }
      var left = el('div', 'hero-text');
      var kicker = el('div', 'kicker', null, el('span', 'dot'), el('span', '', heading(state)));
      left.appendChild(kicker);
      left.appendChild(el('h1', play ? (breadth(title(state)) > 22 ? 'long' : '') : 'reason', title(state)));
      var meta = el('div', 'meta');
      if (item && item.kind === 'programme' && play) {
        meta.appendChild(el('span', 'section', TV.name((play || item).section_names)));
        meta.appendChild(el('span', '', isProgramme(item) ? TV.hhmm(item.starts_ms) + ' – ' + TV.hhmm(item.ends_ms) : ''));
      } else if (!state || state.clock === 'uncertain') { meta.appendChild(el('span', '', TV.say('clock_library'))); }
      left.appendChild(meta);
      if (play) { left.appendChild(el('div', 'track', null, progressBar())); }
      var buttons = [];
      if (play) { buttons.push(stop('watch', 'button', acts.watch, [el('span', 'triangle'), el('span', '', TV.say('watch_full'))])); }
      buttons.push(stop('to-listing', 'button plain', function () { acts.open('listing'); }, [el('span', '', TV.say('whole_listing'))]));
      if (!play && mixed(data.library).length) { buttons.unshift(stop('to-library', 'button', function () { acts.open('library'); }, [el('span', '', TV.say('to_library'))])); }
      var line = el('div', 'buttons');
      buttons.forEach(function (b) { line.appendChild(b); });
      left.appendChild(line);
      main.appendChild(el('div', 'hero', null, left, nextPanel(state)));
      out.push(buttons);
      var all = mixed(data.library);
      if (all.length) {
        var made = shelf(TV.say('chosen_row'), all, acts.play, 'home-');
        made.element.classList.add('home-shelf');
        main.appendChild(made.element);
        out.push(made.row);
      } else { main.appendChild(empty('empty_library', 'empty_library_how')); }
      return out;
    };
  };
  /* How broad a title is: a Chinese character counts two. */
  function breadth(text) {
    var sum = 0;
    for (var i = 0; i < text.length; i++) { sum += text.charCodeAt(i) > 255 ? 2 : 1; }
    return sum;
  }
  function isProgramme(item) { return item.source === 'frame' || item.source === 'local' || item.source === 'emergency'; }
  function heading(state) {
    if (!state || !state.play) { return TV.say('slate'); }
    if (state.item.source === 'emergency') { return TV.say('emergency'); }
    return isProgramme(state.item) && state.play.release === state.item.release ? TV.say('on_air') : TV.say('between');
  }
  function title(state) {
    if (!state) { return TV.say('why_lost'); }
    return state.play ? state.play.title : Views.why(state);
  }
  function progressBar() { var i = el('i'); i.id = 'home-fill'; return i; }
  function nextPanel(state) {
    var list = (state && state.upcoming) || [];
    if (!list.length) { return null; }
    var panel = el('div', 'next-panel', null, el('h2', '', TV.say('next')));
    list.slice(0, 4).forEach(function (row) {
      panel.appendChild(el('div', 'next-row', null, el('b', '', TV.when(row.starts_ms)), el('span', '', row.title), row.required ? el('em', 'tag red', TV.say('required')) : null));
    });
    return panel;
  }
  /* One from each shelf in turn, what is stored first: the first screen shows how much there is. */
  function mixed(library) {
    var sections = (library && library.sections) || [], out = ((library && library.begun) || []).slice(0, 4), more = true;
    for (var i = 0; more && out.length < 12; i++) {
      more = false;
      sections.forEach(function (section) {
        var stored = section.programmes.filter(function (p) { return p.stored; });
        if (stored[i]) { more = true; }
        if (stored[i] && !out.some(function (p) { return p.release === stored[i].release; })) { out.push(stored[i]); }
      });
    }
    return out;
  }
  Views.why = function (state) {
    if (!state) { return TV.say('why_lost'); }
    var words = { 'no-schedule': 'why_no_schedule', clock: 'why_clock', 'not-stored': 'why_not_stored', expired: 'why_no_schedule' };
    if (state.clock === 'uncertain') { return TV.say('why_clock'); }
    if (!state.refusal) { return state.upcoming.length ? TV.say('why_wait') : TV.say('why_no_schedule'); }
    return TV.say(words[state.refusal] || 'why_refused');
  };

  /* --- 节目单 --- */
  Views.listing = function (data, acts) {
    return function (main) {
      main.textContent = '';
      var listing = data.listing, days = [], out = [];
      var choice = el('div', 'days');
      [-1, 0, 1].forEach(function (step) {
        var made = stop('day' + step, 'day' + (data.day === step ? ' current' : ''), function () { acts.day(step); },
          [el('span', '', TV.say(step < 0 ? 'yesterday' : step ? 'tomorrow' : 'today'))]);
        choice.appendChild(made);
        days.push(made);
      });
      main.appendChild(choice);
      out.push(days);
      var scroll = el('div', 'scroll listing');
      var rows = (listing && listing.rows) || [], minute = '';
      rows.forEach(function (row) {
        if (row.kind !== 'programme') {
          if (row.ends_ms - row.starts_ms >= 300000) { scroll.appendChild(between(row, listing.now_ms, minute)); }
          return;
        }
        minute = TV.hhmm(row.starts_ms);
        var made = listed(row, listing.now_ms, acts);
        scroll.appendChild(made);
        out.push([made]);
      });
      main.appendChild(el('div', 'scroll-window', null, scroll));
      if (out.length === 1) { main.appendChild(empty('empty_listing', 'empty_listing_how')); }
      return out;
    };
  };
  Views.currentRow = function (listing) {
    var wanted = null, found = false;
    ((listing && listing.rows) || []).forEach(function (row) {
      if (row.kind !== 'programme' || found) { return; }
      wanted = 'row-' + row.id;
      found = row.ends_ms > listing.now_ms;
    });
    return wanted;
  };
  function between(row, now, minute) {
    var time = TV.hhmm(row.starts_ms), isNow = row.starts_ms <= now && now < row.ends_ms;
    return el('div', 'between' + (isNow ? ' now' : ''), null, el('b', '', time === minute ? '' : time), el('span', '', TV.say(row.kind === 'slate' ? 'slate' : 'between')));
  }
  function listed(row, now, acts) {
    var isNow = row.starts_ms <= now && now < row.ends_ms, isOver = row.ends_ms <= now;
    var tags = el('span', 'tags');
    if (isNow) { tags.appendChild(el('em', 'tag live', TV.say('playing_now'))); }
    if (row.required) { tags.appendChild(el('em', 'tag red', TV.say('required'))); }
    if (row.source === 'local') { tags.appendChild(el('em', 'tag', TV.say('local'))); }
    if (row.source === 'emergency') { tags.appendChild(el('em', 'tag red', TV.say('emergency'))); }
    tags.appendChild(el('em', row.stored ? 'tag quiet stored' : 'tag quiet', TV.say(row.stored ? (isOver ? 'again' : 'stored') : 'not_stored')));
    return stop('row-' + row.id, 'listed' + (isNow ? ' now' : '') + (isOver ? ' over' : ''), function () { acts.listed(row); },
      [el('b', 'time', TV.hhmm(row.starts_ms)), el('span', 'what', row.title || row.text || ''),
        el('span', 'section', TV.name(row.section_names)), tags]);
  }

  /* --- 设置 --- */
  Views.settings = function (data, acts) {
    return function (main) {
      main.textContent = '';
      var out = [], list = el('div', 'settings');
      function choice(name, label, value, act) {
        var made = stop('set-' + name, 'setting', act, [el('span', '', label), el('b', '', value)]);
        list.appendChild(made);
        out.push([made]);
      }
      choice('language', TV.say('language'), TV.say('language_now'), acts.language);
      choice('captions', TV.say('captions'), TV.say(TV.Sound.captions ? 'on' : 'off'), acts.captions);
      choice('captions-language', TV.say('captions_language'), TV.say('captions_' + TV.Sound.language), acts.captionsLanguage);
      choice('volume', TV.say('volume'), String(TV.Sound.volume), acts.volume);
      choice('size', TV.say('text_size'), TV.say(data.big ? 'size_big' : 'size_normal'), acts.size);
      main.appendChild(list);
      var state = data.state || {};
      main.appendChild(el('dl', 'about', null,
        el('dt', '', TV.say('about')), el('dd', '', state.station || ''),
        el('dt', '', TV.say('clock_state')), el('dd', '', TV.say('clock_' + (state.clock || 'uncertain'))),
        el('dt', '', TV.say('program')), el('dd', '', state.version || '')));
      return out;
    };
  };
}());
