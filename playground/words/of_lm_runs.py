"""What `lm` says of runs, checkpoints, disks and trainings that ended, in Japanese: {English template: Japanese}."""

ROWS = {
    # ---------------------------------------------------------------------------------------------- lm.run_dir
    "{name} cannot name a run: use letters, digits, '-', '_' and '.', at most 64 of them; for example {wise}": (
        "{name} は学習の名前に使えません。英数字と '-'、'_'、'.' を64文字まで使ってください(例: {wise})"
    ),
    "{path} is a file, not a directory; choose another name or move the file away": (
        "{path} はフォルダではなくファイルです。別の名前にするか、ファイルを移してください"
    ),
    "cannot write to {path}: {why}; choose another --runs-dir": (
        "{path} に書き込めません({why})。--runs-dir で別の場所を指定してください"
    ),
    "a run named {name} already exists in {folder}; choose another --name, or go on with `lm resume {same}`": (
        "{name} という学習はすでに {folder} にあります。別の名前にするか、`lm resume {same}` で続けてください"
    ),
    "there are {names}": "あるのは {names:list} です",
    "there are none yet; `lm train --data FILE` makes one": "まだ一つもありません。`lm train --data FILE` で作れます",
    "no run named {name} in {folder}: {there}": "{name} という学習は {folder} にありません。{there}",
    "cannot read {folder}: {why}; choose another --runs-dir": (
        "{folder} を読めません({why})。--runs-dir で別の場所を指定してください"
    ),
    "run {name} is being trained by another process (pid {pid}); stop it first with `lm stop {same}`": (
        "{name} は別のプロセス(pid {pid})が学習中です。先に停止してください(`lm stop {same}`)"
    ),
    "go on with `lm resume {name}`": "「続きから再開」(`lm resume {name}`)で続けられます",
    "the process ended without a word, and its folder cannot be written to: make it writable, then {cure}": (
        "プロセスが何も言わずに終わりました。学習のフォルダに書き込めません。書き込めるようにすると、{cure}"
    ),
    "the process ended without a word, and the disk is full: free some space, then {cure}": (
        "プロセスが何も言わずに終わりました。ディスクがいっぱいです。空きを作ると、{cure}"
    ),
    "the process ended without a word, probably for lack of memory: {cure} --grad-accum-steps {n}": (
        "プロセスが何も言わずに終わりました。おそらくメモリ不足です。「勾配の累積」を {n} にすると(--grad-accum-steps {n})、{cure}"
    ),
    "the process ended without a word, probably for lack of memory: {cure} --recompute": (
        "プロセスが何も言わずに終わりました。おそらくメモリ不足です。「活性の再計算」をオンにすると(--recompute)、{cure}"
    ),
    "the process ended without a word, as when it is killed or the machine is switched off: {cure}": (
        "強制終了や電源断のように、プロセスが何も言わずに終わりました。{cure}"
    ),
    # ---------------------------------------------------------------------------------------------- lm.library, lm.files
    "a run named {name} already exists; choose another name": "{name} という学習はすでにあります。別の名前にしてください",
    "run {name} was restored already, or removed for good; look for it among the runs": (
        "{name} はもう元に戻したか、完全に削除されています。ライブラリを確かめてください"
    ),
    "run {name} is being trained, or waits for it; stop it, then {deed} it": (
        "{name} は学習中か順番待ちです。停止してから{deed:word}してください"
    ),
    "cannot move {path} to {to}: {why}; close what uses it and try again": (
        "{path} を {to} に移せません({why})。使っているプログラムを閉じて、もう一度お試しください"
    ),
    "cannot read {path}: {why}": "{path} を読めません({why})",
    "{path} is damaged ({why}); restore it from a copy, or delete the run": (
        "{path} が壊れています({why})。控えから戻すか、この学習を削除してください"
    ),
    "cannot read {path}: {why}; check who may read it": "{path} を読めません({why})。読み取り権限を確かめてください",
    "{path} has a damaged line: {line}; delete that line to read the rest": (
        "{path} に壊れた行があります: {line}。その行を消すと残りを読めます"
    ),
    "{path} has a damaged line, with {fault}; delete that line to read the rest": (
        "{path} に壊れた行があります({fault})。その行を消すと残りを読めます"
    ),
    "{name} is not JSON": "{name} は JSON の値ではありません",
    "{path} is no ordinary file; remove it, or take another copy of the run": (
        "{path} は通常のファイルではありません。取り除くか、別の控えを使ってください"
    ),
    "{path} has {size} MB, and no such file of a run has more than {most} MB; take another copy of the run, or a larger "
    "--log-interval": (
        "{path} が {size} MB あり、上限の {most} MB を超えています。別の控えを使うか、「記録の間隔」を大きくしてください"
    ),
    "the disk": "ディスク",
    # ---------------------------------------------------------------------------------------------- lm.checkpoint
    "the header of {path} is damaged: it says {found}; restore it from a copy": (
        "{path} のヘッダが壊れています({found})。控えから戻してください"
    ),
    "run {name} has no checkpoint yet: it is {state} at step {step}; one is written at the first evaluation and at the "
    "end": (
        "{name} にはまだモデルがありません({state:word}、ステップ {step})。最初の評価のときと、終わりに保存されます"
    ),
    "arch={arch} with n_experts={n} and logit_softcap={cap} has no class in transformers; generate with the run as it "
    "is, or train arch=modern without a cap to export it": (
        "arch={arch}、n_experts={n}、logit_softcap={cap} に合う transformers のクラスがありません。"
        "この画面で使うか、上限のない modern で学習すると書き出せます"
    ),
    "{to} is the checkpoint itself; choose another directory": (
        "{to} は元のモデルそのものです。別のフォルダを選んでください"
    ),
    "{to} is not empty (it holds {name}); choose a directory that is not there": (
        "{to} は空ではありません({name} があります)。まだないフォルダを選んでください"
    ),
    "{folder} holds its weights in several files; save it with max_shard_size='100GB'": (
        "{folder} の重みが複数のファイルに分かれています。max_shard_size='100GB' で保存し直してください"
    ),
    "{folder} holds its weights as a pickle, which runs code when it is read; save it again with save_pretrained(…, "
    "safe_serialization=True)": (
        "{folder} の重みは、読むとコードが動く pickle です。save_pretrained(…, safe_serialization=True) で保存し直してください"
    ),
    "{folder} has no {weights}; name a run, or a folder that `lm export` wrote": (
        "{folder} に {weights} がありません。学習か、書き出したフォルダを指定してください"
    ),
    "{path} is damaged: it holds no object; restore it from a copy": (
        "{path} が壊れています(オブジェクトがない)。控えから戻してください"
    ),
    "{name} is missing": "{name} がありません",
    "{name} is unknown": "{name} は知らない名前です",
    "{name} has shape {found} where config.json means {wanted}": (
        "{name} の形 {found} が config.json の {wanted} と違います"
    ),
    "; and {n} more": "、ほか {n} 件",
    "{path} does not fit its config.json: {faults}{more}": "{path} が config.json と合いません: {faults}{more}",
    "the saved state does not fit this run's settings: {why}": "保存された状態がこの学習の設定と合いません: {why}",
    "{name} is damaged: it does not say where the training was": "{name} が壊れています(学習の位置がない)",
    "{fault}; took the state before it": "{fault}。一つ前の状態を使いました",
    "run {name} cannot be resumed: {faults}; start it again under another name": (
        "{name} は再開できません: {faults}。別の名前ではじめからやり直してください"
    ),
    "{folder}/{name} is damaged: its sha256 does not fit its content; restore it from a copy": (
        "{folder}/{name} が壊れています(sha256 が内容と合わない)。控えから戻してください"
    ),
    "cannot {verb} {path}: {why}; {cure}": "{path} の{verb:word}に失敗しました({why})。{cure}",
    "free some space, or choose a directory you may write to": "空きを作るか、書き込めるフォルダを選んでください",
    "check its permissions": "権限を確かめてください",
    "free some space on the disk": "ディスクの空きを作ってください",
    "the file is damaged: restore it from a copy": "ファイルが壊れています。控えから戻してください",
    "the tokenizer has {n} tokens but the model only {m}; use the tokenizer.json that was saved with the model": (
        "トークナイザは {n} トークンですが、モデルは {m} しか知りません。モデルと一緒に保存された tokenizer.json を使ってください"
    ),
    "{path} is damaged: {why}; restore it from a copy, or delete the run": (
        "{path} が壊れています({why})。控えから戻すか、この学習を削除してください"
    ),
    "{value} is no count": "{value} は個数ではありません",
    "run {name} ended before its set-up was complete, so there is nothing to resume; start it again under another "
    "name": "{name} は準備の途中で終わったので、再開できません。別の名前ではじめからやり直してください",
    "run {name} has no training tokens, as one that was shared without them; begin from its weights on a text of yours "
    "instead: lm train --init-from {same} --data FILE": (
        "{name} には学習テキストのトークンがありません(テキストなしで共有されたもの)。"
        "自分のテキストで重みからはじめてください: lm train --init-from {same} --data FILE"
    ),
    # ---------------------------------------------------------------------------------------------- how trainings end
    "the disk is full: nothing more could be saved. Free some space and go on with `lm resume`; what was saved before "
    "is whole": (
        "ディスクがいっぱいで、保存できなくなりました。空きを作って「続きから再開」してください。それまでの保存は無事です"
    ),
    "the folder {path} was deleted or moved while it was being trained, so nothing more can be saved; move it back and go on "
    "with `lm resume`, or start again": (
        "学習中にフォルダ {path} が削除または移動されたため、保存できなくなりました。元の場所に戻して「続きから再開」するか、最初からやり直してください"
    ),
    "{path} can no longer be written to ({why}). Make the disk writable again and go on with `lm resume`; what was saved "
    "before is whole": (
        "{path} に書き込めなくなりました({why})。ディスクを書き込めるようにして「続きから再開」してください。それまでの保存は無事です"
    ),
    "{path} is not there: it was deleted or moved; bring it back, or choose something else": (
        "{path} がありません。削除または移動されたようです。元に戻すか、別のものを選んでください"
    ),
    "there is no room for temporary files: no folder for them can be written to; free some space, or set TMPDIR to a folder "
    "that can": (
        "一時ファイルを置ける場所がありません。空きを作るか、TMPDIR に書き込めるフォルダを指定してください"
    ),
    "the memory is full, and no step was taken yet: close other programs, or use less text": (
        "最初のステップの前にメモリが足りなくなりました。ほかのプログラムを閉じるか、テキストを減らしてください"
    ),
    "of the GPU ": "GPU の",
    "train again": "もう一度学習してください",
    "the memory {where}is full: {how}, where {cure}": "{where}メモリがいっぱいです。{cure}。{how}",
    "--grad-accum-steps {n} is the same training in less": (
        "「勾配の累積」を {n} にすると(--grad-accum-steps {n})、同じ学習が少ないメモリでできます"
    ),
    "--recompute is the same training in less": (
        "「活性の再計算」をオンにすると(--recompute)、同じ学習が少ないメモリでできます"
    ),
    "use --block-size {size}, or a smaller network, such as --n-embd {width}": (
        "「文脈長」を {size} にするか、「幅」を {width} にするなどモデルを小さくしてください"
    ),
    "use a smaller network": "モデルを小さくしてください",
    "loss exploded: it was above {most} for {n} logged steps": ("損失が発散しました({n} 回続けて {most} を超えました)"),
    "{name} became infinite or not a number": "{name:word}が無限大か、数でないものになりました",
    "the {fault}, at step {step}": "ステップ {step} で{fault}",
    "{said}, before a state to go on from was saved. Train again with {rates}": (
        "{said}。再開できる状態はまだありませんでした。学習し直すなら {rates}"
    ),
    "{said}, after {n} rollbacks to ever lower rates": "{said}。学習率を下げながら {n} 回戻ってやり直した後です",
    "{rates}, or go on from there at half the rate with `lm resume {name} --on-nan rollback`": (
        "{rates}。または `lm resume {name} --on-nan rollback` で、半分の学習率にして続けられます"
    ),
    "{said}. The last good state, of step {step}, is kept. Train again with {rates}": (
        "{said}。最後の良い状態(ステップ {step})は残っています。学習し直すなら {rates}"
    ),
    "one of the {n} processes ended ({words}); go on with `lm resume`, in fewer processes perhaps": (
        "{n} 個のプロセスの一つが終わりました({words})。プロセスを減らすなどして「続きから再開」してください"
    ),
    "without a word": "何も言わずに",
    "{to} is no kind of picture that can be drawn; let its name end in {endings}": (
        "{to} は描ける形式の画像ではありません。名前の終わりを {endings:list} のどれかにしてください"
    ),
    "cannot write {to}: {why}; free some space or choose another place": (
        "{to} に書き込めません({why})。空きを作るか、別の場所を選んでください"
    ),
    "run {name} has no steps to draw yet; wait for its first ones": (
        "{name} にはまだ描けるステップがありません。最初のステップを待ってください"
    ),
    "the report needs the package plotly for its chart; install it with `pip install plotly`": (
        "レポートのグラフには plotly が必要です。`pip install plotly` で入れてください"
    ),
}

# What single words mean in holes that ask for them: `{deed:word}`.
SINGLE = {
    "rename": "名前を変更",
    "delete": "削除",
    "read": "読み込み",
    "write": "書き込み",
    "loss": "損失",
    "gradient": "勾配",
    "validation loss": "検証損失",
    "starting": "準備中",
    "running": "学習中",
    "finished": "完了",
    "stopped": "停止",
    "failed": "失敗",
    "dead": "中断",
}
