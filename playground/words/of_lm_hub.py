"""What `lm` says of the way to the Hub and of models from there, in Japanese: {English template: Japanese}."""

ROWS = {
    # ---------------------------------------------------------------------------------------------- under way
    "signing in at {hub}": "{hub} にサインインしています",
    "looking at {repo}": "{repo} を調べています",
    "sending {name}": "{name} を送っています",
    "fetching {name}": "{name} を取り込んでいます",
    "writing {name}": "{name} を書いています",
    "cancelled": "取り消しました",
    "cancelled; what has arrived is kept, and pulling again goes on from there": (
        "取り消しました。届いた分は残っていて、もう一度取り込むとそこから続きます"
    ),
    "cancelled. The Space {hub}/spaces/{name} exists; publish again to fill or renew it": (
        "取り消しました。Space {hub}/spaces/{name} はあります。もう一度公開すると中身を送ります"
    ),
    # ---------------------------------------------------------------------------------------------- lm.hub
    "this is no token: a token is one word, as {url} shows it (hf_…)": (
        "これはトークンではありません。{url} に表示される、hf_ ではじまる一語を入れてください"
    ),
    "the token of {name} may only read; make one with write permission at {url} and use that": (
        "{name} のトークンは読み取り専用です。{url} で書き込み権限のあるものを作って使ってください"
    ),
    "the name {name} belongs to someone else; this token writes under {names}: use for example {me}/{short}": (
        "{name} は他の人の名前です。このトークンで書けるのは {names:list} です(例: {me}/{short})"
    ),
    "{name} cannot name a repository: it is user/name in letters, digits, '-', '_' and '.', at most 96 of them, without "
    "'--' or '..' and not ending in '.git'; for example {wise}": (
        "{name} はリポジトリ名に使えません。ユーザー名/名前 の形で、英数字と '-'、'_'、'.' を96文字まで使ってください"
        "('--' と '..'、終わりの '.git' は使えません)。例: {wise}"
    ),
    "cannot reach {hub} ({why}); check the network and try again": (
        "{hub} につながりません({why})。ネットワークを確かめて、もう一度お試しください"
    ),
    "{name} cannot name a repository: it is user/name, for example alice/tales": (
        "{name} はリポジトリ名に使えません。ユーザー名/名前 の形で書いてください(例: alice/tales)"
    ),
    "the Hub refuses the card's metadata: {why}; edit the lines between the two ---": (
        "モデルカードのメタデータが Hub に拒否されました({why})。二つの --- の間の行を直してください"
    ),
    "the cache": "キャッシュ",
    "cannot read or write {path}: {why}; make it writable or choose another place": (
        "{path} を読み書きできません({why})。書き込めるようにするか、別の場所を選んでください"
    ),
    "cannot read or write {path}: {why}; free some space or choose another place": (
        "{path} を読み書きできません({why})。空きを作るか、別の場所を選んでください"
    ),
    "{endpoint} does not answer as the Hub does ({why}); check HF_ENDPOINT and the network, a page to sign in at for one, and "
    "try again": (
        "{endpoint} の応答は Hub のものではありません({why})。HF_ENDPOINT とネットワーク(接続前のログイン画面など)を確かめて、もう一度お試しください"
    ),
    "{endpoint} took the connection and does not go on; try again in some minutes (https://status.huggingface.co)": (
        "{endpoint} につながりましたが、応答が途絶えました。数分後にもう一度お試しください(https://status.huggingface.co)"
    ),
    "{endpoint} sends us astray ({why}): in circles, or to what is no web address; check HF_ENDPOINT and the network, a page "
    "to sign in at for one, and try again": (
        "{endpoint} の転送先をたどれません({why})。同じところを回っているか、ウェブのアドレスではありません。"
        "HF_ENDPOINT とネットワーク(接続前のログイン画面など)を確かめて、もう一度お試しください"
    ),
    "{host} sends too slowly, {came} bytes in {seconds} seconds; check the network and try again later": (
        "{host} の送信が遅すぎます({seconds} 秒で {came} バイト)。ネットワークを確かめて、後でもう一度お試しください"
    ),
    "{repo} did not arrive as the Hub says it is: another length; try again, or choose another model": (
        "届いた {repo} は Hub の示す長さと違います。もう一度試すか、別のモデルを選んでください"
    ),
    "{name} of {repo} did not arrive as the Hub says it is: its sha256 is another; try again, or choose another model": (
        "届いた {repo} の {name} は Hub の示す sha256 と違います。もう一度試すか、別のモデルを選んでください"
    ),
    "{name} of {repo} has no end: {size} MB came, far more than the Hub said; choose another model": (
        "{repo} の {name} は、Hub の示す大きさをはるかに超える {size} MB が届いても終わりません。別のモデルを選んでください"
    ),
    "no token: run `hf auth login`, set HF_TOKEN, or paste one that may write ({url})": (
        "トークンがありません。`hf auth login` を実行するか、HF_TOKEN を設定するか、書き込めるトークンを貼り付けてください({url})"
    ),
    "HF_HUB_OFFLINE is set, so nothing can be sent or fetched; unset it and try again": (
        "HF_HUB_OFFLINE が設定されているため、送受信できません。解除してもう一度お試しください"
    ),
    "cannot reach {hub}, and {repo} is not in the cache; pull it once while online": (
        "{hub} につながらず、{repo} はキャッシュにもありません。ネットワークのある所で一度取り込んでください"
    ),
    "{repo} is gated: ask for access at {hub}/{same}, then try again with your token": (
        "{repo} には利用申請が必要です。{hub}/{same} で申請してから、自分のトークンでもう一度お試しください"
    ),
    "{repo} has no such revision; name a branch, a tag or a whole commit hash of it": (
        "{repo} にその版はありません。ブランチ、タグ、または省略しないコミット番号を指定してください"
    ),
    "{repo} lacks a file that was asked for; look at {hub}/{same}": (
        "{repo} に必要なファイルがありません。{hub}/{same} を確かめてください"
    ),
    "there is no repository {repo}, or it is private and this token may not see it; check the name at {hub}, or log in "
    "with `hf auth login`": (
        "{repo} というリポジトリがないか、非公開でこのトークンでは見られません。"
        "{hub} で名前を確かめるか、`hf auth login` でログインしてください"
    ),
    "the Hub does not accept this token (401); it may be mistyped or revoked: make another at {url}": (
        "Hub がこのトークンを受け付けません(401)。打ち間違いか、無効になっています。{url} で作り直してください"
    ),
    "the Hub asks for a paid plan (402): {said}; see {hub}/pricing, or run it on your own machine": (
        "Hub の有料プランが必要です(402): {said}。{hub}/pricing を見るか、自分の計算機で使ってください"
    ),
    "this token may not do that to {repo} (403): {said}; use one with write permission ({url}), or another name": (
        "このトークンでは {repo} に書き込めません(403): {said}。"
        "書き込み権限のあるもの({url})か、別の名前を使ってください"
    ),
    "{repo} was changed by somebody else at the same moment ({n}); try again": (
        "{repo} が同時にほかから変更されました({n})。もう一度お試しください"
    ),
    "a file is too large": "大きすぎるファイルがあります",
    "the Hub asks to slow down (429): {said}; wait some minutes and try again": (
        "Hub が混み合っています(429): {said}。数分待って、もう一度お試しください"
    ),
    "too many requests": "要求が多すぎます",
    "the Hub is in trouble ({n}); try again in some minutes (https://status.huggingface.co)": (
        "Hub に障害が起きています({n})。数分後にもう一度お試しください(https://status.huggingface.co)"
    ),
    "the Hub refuses ({n}): {said}; try again, or look at {hub}/{repo}": (
        "Hub に拒否されました({n}): {said}。もう一度試すか、{hub}/{repo} を確かめてください"
    ),
    "the Hub does not take these files: {said}; leave out --with-corpus and --resume, or free space ({hub}/settings/billing)": (
        "Hub がファイルを受け付けません: {said}。"
        "テキストを送らないようにするか、容量を空けてください({hub}/settings/billing)"
    ),
    # ---------------------------------------------------------------------------------------------- lm.push, lm.bundle
    "arch={arch} with n_experts={n} and logit_softcap={cap} has no class in transformers, so nobody else could load it; "
    "train arch=modern without a cap to share it": (
        "arch={arch}、n_experts={n}、logit_softcap={cap} に合う transformers のクラスがないので、ほかの人が開けません。"
        "共有するには、上限のない modern で学習してください"
    ),
    "its text": "学習テキスト",
    "the state to go on from": "再開用の状態",
    "run {name} does not hold {what} ({file} is missing); share it without": (
        "{name} には{what}がありません({file} がない)。それなしで共有してください"
    ),
    "The commit may have arrived or not: look at {url}; pushing again completes it and repeats nothing": (
        "届いたかどうか分かりません。{url} を確かめてください。もう一度送れば残りだけを送ります"
    ),
    "The repository {url} may have been made, and is empty then; push again to go on": (
        "リポジトリ {url} はできたかもしれません。その場合は空です。もう一度送れば続きから送ります"
    ),
    "The repository {url} was made and is still empty; push again to go on (what has arrived is not sent twice), or "
    "remove it with `hf repos delete {repo}`": (
        "リポジトリ {url} はできましたが、まだ空です。もう一度送れば続きから送ります。"
        "消すには `hf repos delete {repo}` を使ってください"
    ),
    "Nothing on the Hub was changed; the run is as it was": "Hub は何も変わっていません。手元の学習もそのままです",
    "it was to be private": "非公開のはずでした",
    "a resume state holds the whole text": "再開用の状態にはテキスト全体が含まれます",
    "{repo} exists and is public, and {what}; make it private in its settings, take another name, or say --no-private": (
        "{repo} はすでに公開されていますが、{what}。リポジトリの設定で非公開にするか、別の名前にするか、"
        "「非公開」を外してください"
    ),
    "{repo} holds something else already ({file}); choose another name, or delete it first": (
        "{repo} にはすでに別のものがあります({file})。別の名前にするか、先に削除してください"
    ),
    "{name} has {size} GB and the Hub takes files of {most} GB; share a smaller model, or leave out --with-corpus and "
    "--resume": (
        "{name} は {size} GB で、Hub の上限 {most} GB を超えています。小さいモデルにするか、テキストを送らないでください"
    ),
    "edit the lines between the two --- at the top, or leave the card out to have one written": (
        "先頭の二つの --- の間を直すか、カードを空にして書き直させてください"
    ),
    "the card has no metadata: it must begin with a block between two lines of ---; {cure}": (
        "カードにメタデータがありません。二つの --- の行にはさまれた部分ではじめてください。{cure}"
    ),
    "the card has more than {most} characters; shorten it, or take the Markdown file it was to be": (
        "カードが {most} 文字を超えています。短くするか、カードの Markdown ファイルを選び直してください"
    ),
    "the card's metadata has {n} characters; keep it below {most}": (
        "カードのメタデータが {n} 文字あります。{most} 文字より短くしてください"
    ),
    "the card's metadata points at its own parts (*name); write them out; {cure}": (
        "カードのメタデータが自分の一部を参照しています(*名前)。そのまま書いてください。{cure}"
    ),
    "the card's metadata is no YAML ({why}); {cure}": "カードのメタデータが YAML ではありません({why})。{cure}",
    "the card's metadata cannot be read ({why}); {cure}": "カードのメタデータを読めません({why})。{cure}",
    "the card's metadata cannot be read ({n} brackets); {cure}": (
        "カードのメタデータを読めません(括弧が {n} 個あります)。{cure}"
    ),
    "cannot read the card {path}: {why}; save it as UTF-8": (
        "カード {path} を読めません({why})。UTF-8 で保存してください"
    ),
    "the card says {key}={value}, which must be one word; {cure}": (
        "カードの {key} = {value} は一語でなければなりません。{cure}"
    ),
    # ---------------------------------------------------------------------------------------------- lm.space
    "{fault}. The Space {hub}/spaces/{name} exists and may be empty; publish again to fill it": (
        "{fault}。Space {hub}/spaces/{name} はありますが、空かもしれません。もう一度公開すると中身を送ります"
    ),
    "{repo} is private: put a token that may read it into the Space's secrets as HF_TOKEN ({hub}/spaces/{name}/settings)": (
        "{repo} は非公開です。読めるトークンを、Space の Secrets に HF_TOKEN として入れてください"
        "({hub}/spaces/{name}/settings)"
    ),
    "{repo} holds no model yet; push one there first with `lm push NAME {same}`": (
        "{repo} にはまだモデルがありません。先に「Hub に送る」を押してください(`lm push NAME {same}`)"
    ),
    "the Space {name} holds something else already ({file}); choose another name with --name": (
        "Space {name} にはすでに別のものがあります({file})。別の名前にしてください"
    ),
    "the Hub runs Gradio Spaces only for paying accounts (402), so no Space was made; the model itself is shared, and "
    "`lm generate` or `python app.py` show it on your own machine": (
        "Gradio の Space は有料プランでだけ動くため(402)、作りませんでした。モデルは共有されています。"
        "自分の計算機では `lm generate` や `python app.py` で使えます"
    ),
    # ---------------------------------------------------------------------------------------------- lm.pull, lm.convert
    "{name} is neither a folder, nor a link to {hub}, nor a repository; give for example user/repo": (
        "{name} はフォルダでも {hub} のリンクでもリポジトリ名でもありません。たとえば ユーザー名/名前 と書いてください"
    ),
    "{to} exists already; name another place with --to, or remove it first": (
        "{to} はすでにあります。別の場所を指定するか、先に取り除いてください"
    ),
    "{repo} was changed at this moment; try again": "{repo} がちょうど変更されました。もう一度お試しください",
    "{repo} has {size} GB to fetch and the limit is {most} GB; allow more with --most-gigabytes, or take a smaller model": (
        "{repo} は {size} GB あり、上限の {most} GB を超えています。小さいモデルを選んでください"
        "(コマンドでは --most-gigabytes で上限を変えられます)"
    ),
    "{repo} has {size} GB to fetch, and {free} GB are free at {folder}; free some space, or set HF_HOME to a folder on a "
    "larger disk": (
        "{repo} は {size} GB ありますが、{folder} の空きは {free} GB です。"
        "空きを作るか、HF_HOME に大きなディスクのフォルダを指定してください"
    ),
    "{name} of {repo} has {size} MB, too much for such a file; take another model": (
        "{repo} の {name} は {size} MB で、この種のファイルには大きすぎます。別のモデルを選んでください"
    ),
    "cannot reach {hub}, and {repo} ({revision}) was never pulled on this machine; check the network and try again": (
        "{hub} につながらず、{repo}({revision})をこの計算機に取り込んだこともありません。"
        "ネットワークを確かめて、もう一度お試しください"
    ),
    "{repo} has no {file}, so it holds no transformers model; choose one that does": (
        "{repo} に {file} がなく、transformers のモデルではありません。別のものを選んでください"
    ),
    "{repo} keeps its weights in several files; only models with one {file} are read here": (
        "{repo} の重みは複数のファイルに分かれています。ここで読めるのは {file} が一つのモデルだけです"
    ),
    "{repo} keeps its weights as a pickle ({file}), which runs the code of whoever wrote it when it is read; ask its "
    "author for {weights}, or use a model that has one": (
        "{repo} の重みは、読むと作者のコードが動く pickle です({file})。"
        "作者に {weights} を頼むか、それのあるモデルを使ってください"
    ),
    "{repo} has no {file}; choose a model that does": "{repo} に {file} がありません。別のモデルを選んでください",
    "its {file} is damaged ({why}); choose another model": ("{file} が壊れています({why})。別のモデルを選んでください"),
    "its {file} holds no settings; choose another model": "{file} に設定がありません。別のモデルを選んでください",
    "its {weights} has {size} bytes where {file} means {n} numbers; they do not belong together, choose another model": (
        "{weights} は {size} バイトですが、{file} では {n} 個の数のはずです。組が合いません。別のモデルを選んでください"
    ),
    "its training/config.json holds no settings; choose another model": (
        "training/config.json に設定がありません。別のモデルを選んでください"
    ),
    "its training/config.json says threads={n}, which no machine has; choose another model": (
        "training/config.json のスレッド数 {n} はありえません。別のモデルを選んでください"
    ),
    "it was trained on {device}, which is not here: training goes on on {here}, and not bit for bit": (
        "{device} で学習されましたが、ここにはありません。続きは {here} で行い、一ビットまで同じにはなりません"
    ),
    "its resume/status.json holds no status; choose another model": (
        "resume/status.json に状態がありません。別のモデルを選んでください"
    ),
    "model_type={name} is no model that fits here; it must be gpt2 or nanochat": (
        "model_type={name} はここでは使えません。gpt2 か nanochat のモデルを選んでください"
    ),
    "vocab_size={n} is not a whole number from 1 to {most}; config.json is damaged": (
        "vocab_size={n} が 1 以上 {most} 以下の整数ではありません。config.json が壊れています"
    ),
    "config.json describes a model that cannot be built: {faults}": (
        "config.json のモデルは組み立てられません: {faults}"
    ),
    "rope_parameters={value} cannot be held here; the rope_type must be 'default'": (
        "rope_parameters={value} は使えません。rope_type は 'default' でなければなりません"
    ),
    "{key}={value} (must be {values})": "{key}={value}({values:list} でなければなりません)",
    "this model computes what ours cannot: {wrong}; take one that fits": (
        "このモデルの計算はここではできません: {wrong:list}。別のモデルを選んでください"
    ),
    "{name} is not zero but the model has no such bias; remove {key} from config.json to read it": (
        "{name} が 0 ではありませんが、モデルにそのバイアスはありません。config.json から {key} を消すと読めます"
    ),
    "{name} is not what we wrote: it was trained further elsewhere; use it there": (
        "{name} が書き出したときと違います。ほかで学習が続けられたモデルです。そちらで使ってください"
    ),
}
