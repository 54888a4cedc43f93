/* Every word of the phone's page, Chinese first. */
var Words = {
  zh: {
    helper: '手机助手', back: '‹', other_language: 'EN', offered: '今晚的集中学习，可以先点名', running: '正在集中学习', closing: '学习结束，正在收尾', over: '学习已结束', no_session: '现在没有集中学习',
    roll: '点名', roll_about: '点名字，谁到了点谁', photo: '拍照', photo_about: '拍一张学习现场', voice: '录音纪要', voice_about: '说一段话当纪要', minutes: '写纪要', minutes_about: '写下讨论了什么',
    question: '提问题', question_about: '问专家、问上级', fault: '报故障', fault_about: '电视、网络有毛病',
    present: '实到', expected: '应到', members: '党员 {0}', public: '群众 {0}', everybody: '全部到齐', as_begun: '和开始时一样', undo: '撤销', only_missing: '只看没到的', all_names: '看全部', people: '名单',
    done: '点名完成，存好', done_again: '重新存好', done_before: '先存好，开始时自动上报', saved: '✓ 已存在本站', saved_waits: '✓ 已存好，学习开始时自动上报', saving: '正在存……', others: '名单以外的人', not_all: '点完请按下面的绿色按钮',
    roll_start: '开始点名', roll_end: '结束点名', roll_late: '补点名（记为迟录）',
    list_empty: '名单还是空的', list_empty_how: '把全村参加学习的人录进来一次，以后每次只要点名字。名单只存在这台电视里，不会传出去。', no_list: '没有名单也行：只数人数',
    add_one: '加一个人', name: '姓名', add: '加上', paste: '粘贴整份名单', paste_how: '一行一个名字；名字后面写“党员”的记为党员', add_all: '全部加上', party: '党员', not_party: '群众', remove: '去掉', remove_sure: '再按一次去掉', added: '加了 {0} 个', left_out: '名单里已经有：{0}，没有重复加', same_name: '名单里已有“{0}”。再按一次“加上”，就当另一个同名的人加进去', local_only: '名单只存在本站，报上去的只有人数', people_count: '{0} 人，其中党员 {1} 人',
    minutes_hint: '讨论了什么？得出什么结论？（最多 2000 字）', photo_pick: '拍照，或从相册选', photo_again: '重拍', photo_send: '存到本站', photo_wait: '正在缩小照片……', photo_bad: '这张照片读不出来，请换一张', kept: '已存 {0} 份',
    voice_hint: '说说今天学了什么、讨论了什么，三分钟以内。', voice_start: '开始录音', voice_stop: '说完了', voice_running: '正在录音　{0}', voice_pick: '打开手机的录音机', voice_again: '重录', voice_send: '存到本站', voice_size: '录音太长了（最多 3 MB），请录短一点', voice_type: '这种录音格式不认识，请换一个录音软件', voice_denied: '手机没有允许录音', unsaved: '手机存不下了：送到电视以前请不要关页面', no_session_yet: '现在没有集中学习，不能存',
    question_hint: '想问什么？不用写名字。', send: '送出', sent: '✓ 已送到电视', queued: '先存在手机里，连上电视自动送出', fault_pick: '哪里有毛病？点一下就报上去', fault_sent: '✓ 已报：{0}',
    paper_week: '本周节目预告', paper_log: '本月收看记录',
    lost: '和电视断开了。点的、写的都在手机里，连上会自动送出', gone: '这个二维码已经用不了，请重新扫电视上的二维码', disk: '电视的硬盘满了，没有存下：请告诉技术员', failed: '没有存下，请再试一次', full: '名单最多 1000 人', too_many: '太快了，请稍等一会儿', waiting: '还有 {0} 样没送到电视'
  },
  en: {
    helper: 'Phone helper', back: '‹', other_language: '中文', offered: 'Tonight’s group study: the roll can be called now', running: 'Group study is running', closing: 'Group study is closing', over: 'Group study is over', no_session: 'No group study now',
    roll: 'Roll call', roll_about: 'Tap who is there', photo: 'Photo', photo_about: 'A picture of the evening', voice: 'Spoken minutes', voice_about: 'Say what was discussed', minutes: 'Written minutes', minutes_about: 'What was discussed',
    question: 'Ask', question_about: 'A question to the experts', fault: 'Report a fault', fault_about: 'Set or network broken',
    present: 'present', expected: 'expected', members: '{0} members', public: '{0} others', everybody: 'All here', as_begun: 'As at the beginning', undo: 'Undo', only_missing: 'Only missing', all_names: 'Show all', people: 'List',
    done: 'Done: save the roll', done_again: 'Save again', done_before: 'Save; told when study begins', saved: '✓ Saved on the TV', saved_waits: '✓ Saved; told when study begins', saving: 'Saving…', others: 'Not on the list', not_all: 'When done, press the green button',
    roll_start: 'Roll at the beginning', roll_end: 'Roll at the end', roll_late: 'Late entry',
    list_empty: 'The list is empty', list_empty_how: 'Enter everybody who takes part once; afterwards a tap is enough. The list stays on this TV and is never sent.', no_list: 'Without a list: just count',
    add_one: 'Add one', name: 'Name', add: 'Add', paste: 'Paste a list', paste_how: 'One name a line; write 党员 after members of the Party', add_all: 'Add all', party: 'Member', not_party: 'Other', remove: 'Remove', remove_sure: 'Press again', added: '{0} added', left_out: 'Already there: {0}', same_name: '“{0}” is there already. Press Add again for another person of that name', local_only: 'The list stays here; only counts are reported', people_count: '{0} people, {1} members',
    minutes_hint: 'What was discussed, and decided? (2000 characters at most)', photo_pick: 'Take or choose a photo', photo_again: 'Again', photo_send: 'Save on the TV', photo_wait: 'Making it smaller…', photo_bad: 'This photo cannot be read', kept: '{0} saved',
    voice_hint: 'Say what was learnt and discussed, within three minutes.', voice_start: 'Record', voice_stop: 'Done', voice_running: 'Recording  {0}', voice_pick: 'Open the phone’s recorder', voice_again: 'Again', voice_send: 'Save on the TV', voice_size: 'Too long (3 MB at most)', voice_type: 'This kind of recording is not known here', voice_denied: 'The phone did not allow recording', unsaved: 'The phone is full: keep this page open until the TV has it', no_session_yet: 'No group study now: nothing to save for',
    question_hint: 'What would you like to know? No name needed.', send: 'Send', sent: '✓ The TV has it', queued: 'Kept on the phone; sent once the TV is reached', fault_pick: 'What is wrong? One tap reports it', fault_sent: '✓ Reported: {0}',
    paper_week: 'Poster of the week', paper_log: 'Log of the month',
    lost: 'The TV is out of reach. Everything is kept on the phone and sent later', gone: 'This code is no longer valid: scan the one on the TV again', disk: 'The TV’s disk is full, nothing was saved: tell the technician', failed: 'Not saved, please try again', full: 'A list holds 1000 people', too_many: 'Too fast, please wait a moment', waiting: '{0} not yet on the TV'
  }
};
var language = 'zh';
function say(name) {
  var text = Words[language][name] || name;
  for (var i = 1; i < arguments.length; i++) { text = text.replace('{' + (i - 1) + '}', arguments[i]); }
  return text;
}
