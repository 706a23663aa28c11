# shellcheck shell=bash
# What the launchers and the scripts in vm/ share. Source it after `set -euo pipefail`.
#
# Every cached thing is made under a temporary name and renamed when it is complete, so a script that is
# killed at any moment leaves nothing that a later run would take for finished.

PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CACHE=$PROJECT/.cache
# depmod and others are in sbin, which the PATH of a normal user often lacks.
PATH=$PATH:/usr/sbin:/sbin

# say TEXT...: one line of progress. Standard output belongs to the program that is run.
say() {
    printf '%s\n' "$*" >&2
}

# fail TEXT...: one clear line, then the end of the script.
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# logged WHAT COMMAND ARG...: runs a noisy command quietly; its output is shown only when it fails.
logged() {
    local what=$1 output
    shift
    if ! output=$("$@" 2>&1); then
        tail -n 40 <<<"$output" >&2
        fail "$what failed; its last lines are above"
    fi
}

# cached PATH MAKER ARG...: makes the file or directory PATH once. MAKER gets its arguments and a temporary
# path to fill, which is renamed to PATH when MAKER succeeded. Parallel callers wait for the first.
cached() {
    local path=$1
    shift
    [[ -e $path ]] && return
    mkdir -p "$(dirname "$path")"
    local lock
    exec {lock}>"$path.lock"
    flock "$lock"
    if [[ ! -e $path ]]; then
        rm -rf "$path.partial"
        # In a subshell, so that neither its directory nor its `set` options leak, and with set -e in force.
        (set -e; "$@" "$path.partial")
        mv -T "$path.partial" "$path"
    fi
    exec {lock}>&-
}

package_installed() {
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# need_packages PACKAGE...: installs the Debian packages that are missing, or says which ones to install.
need_packages() {
    local package missing=()
    for package in "$@"; do
        package_installed "$package" || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if ! has apt-get; then
        fail "please install what Debian calls: ${missing[*]}"
    elif [[ $(id -u) != 0 ]]; then
        fail "please install the missing packages: apt-get install --no-install-recommends ${missing[*]}"
    fi
    say "installing packages: ${missing[*]}"
    refresh_package_lists
    logged "apt-get install ${missing[*]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "${missing[@]}"
}

# Once for each script: a list that failed to refresh shows in the install that follows, if it matters.
refresh_package_lists() {
    [[ -z ${PACKAGE_LISTS_FRESH-} && $(id -u) == 0 ]] || return 0
    apt-get -o DPkg::Lock::Timeout=300 update -q >/dev/null 2>&1 || true
    export PACKAGE_LISTS_FRESH=yes
}

# need_commands COMMAND=PACKAGE...: like need_packages, but a command from any source will do.
need_commands() {
    local pair packages=()
    for pair in "$@"; do
        has "${pair%%=*}" || packages+=("${pair#*=}")
    done
    [[ ${#packages[@]} -eq 0 ]] || need_packages "${packages[@]}"
}

# find_jdk25: prints the home of a JDK 25 or later. The default `java` may be an older one.
find_jdk25() {
    local candidate on_path=
    has java && on_path=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
    for candidate in "${JAVA_HOME-}" "$on_path" /usr/lib/jvm/* /opt/* "$HOME"/.jdks/* \
            "$HOME"/.sdkman/candidates/java/*; do
        if is_jdk25 "$candidate"; then
            realpath "$candidate"
            return
        fi
    done
    fail "no JDK 25 found (looked at JAVA_HOME, java on PATH, /usr/lib/jvm, /opt): install one and set JAVA_HOME"
}

# is_jdk25 DIRECTORY: by the release file that every JDK has; starting each one would take seconds.
is_jdk25() {
    local version
    [[ -n $1 && -x $1/bin/javac && -r $1/release ]] || return 1
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release")
    [[ -n $version && $version -ge 25 ]]
}

# run_maven ARG...: Maven on the JDK 25, so that the machine's default Java does not matter. The options keep
# that JDK from warning about Maven's own libraries.
run_maven() {
    local jdk
    need_commands mvn=maven
    jdk=$(find_jdk25)
    JAVA_HOME=$jdk MAVEN_OPTS="--sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED ${MAVEN_OPTS-}" \
        mvn -B -ntp -f "$PROJECT/pom.xml" "$@"
}

EXAMPLES_JAR=$PROJECT/vfio-examples/target/vfio-examples.jar
SUITE_CLASSPATH_FILE=$PROJECT/vfio-sim/target/kernel-suite.classpath
# Made after a complete build and dated to its start, so that neither a build that was killed nor a source
# that changed meanwhile passes for built. `mvn clean` removes them.
EXAMPLES_STAMP=$PROJECT/vfio-examples/target/.built
SUITE_STAMP=$PROJECT/vfio-sim/target/.suite-built

# built STAMP PRODUCT: is no source newer than the last complete build? Directories count: a deleted file shows
# there. Sources of tests count for the suite alone, which is made of them.
built() {
    local stamp=$1 product=$2 tests=(-path '*/src/test' -prune -o)
    [[ -e $stamp && -e $product ]] || return 1
    [[ $stamp != "$SUITE_STAMP" ]] || tests=()
    [[ -z $(cd "$PROJECT" && find pom.xml src-gen vfio-{api,ffm,sim,examples,bench}/{pom.xml,src} \
        "${tests[@]}" -newer "$stamp" -print -quit) ]]
}

# stamped STAMPS COMMAND ARG...: runs a build, and stamps what it makes (STAMPS, one a line) when it succeeded.
stamped() {
    local start=$CACHE/build-start stamps stamp
    mapfile -t stamps <<<"$1"
    shift
    rm -f "${stamps[@]}"
    touch "$start"
    "$@" || return
    for stamp in "${stamps[@]}"; do
        touch -r "$start" "$stamp"
    done
}

# One build of this tree at a time. Maven inherits the lock, so that one whose launcher was killed keeps it.
lock_build() {
    mkdir -p "$CACHE"
    exec {BUILD_LOCK}>"$CACHE/build.lock"
    flock -n "$BUILD_LOCK" && return
    say "waiting for another build of this tree to end"
    flock "$BUILD_LOCK"
}

unlock_build() {
    exec {BUILD_LOCK}>&-
}

# build STAMP PRODUCT WHAT MAVEN-ARG...: makes a product if need be. A tree that is up to date is left alone, for
# a VM may be running from it.
build() {
    local stamp=$1 product=$2 what=$3
    shift 3
    built "$stamp" "$product" && return
    lock_build
    if ! built "$stamp" "$product"; then
        say "building $what"
        stamped "$stamp" show_modules run_maven "$@"
    fi
    unlock_build
}

# The launcher needs no tests; ./test and CI compile and run them.
build_examples() {
    build "$EXAMPLES_STAMP" "$EXAMPLES_JAR" "the examples and what they need" \
        -pl vfio-examples -am -Dmaven.test.skip=true package
}

# What the suites of the VM need: the tests are compiled here and run there.
build_suite() {
    build "$SUITE_STAMP" "$SUITE_CLASSPATH_FILE" "the kernel suite" -pl vfio-sim -am -DskipTests package
}

# show_modules MAVEN-COMMAND ARG...: one line for each module; all of the output only when the build fails.
show_modules() {
    local log=$CACHE/build.log status=0
    "$@" 2>&1 | tee "$log" | sed -u -n 's/^\[INFO\] Building \([^ ]*\) .*\(\[.*\]\)$/  \1 \2/p' >&2 || status=$?
    if [[ $status != 0 ]]; then
        cat "$log" >&2
        fail "the build failed; see above"
    fi
}

# read_suite_classpath: sets SUITE_CLASSPATH, and SUITE_BINDS, the options of vm/run that show it to the guest.
read_suite_classpath() {
    local target=$PROJECT/vfio-sim/target entry
    # The file, which the build writes, has what a suite needs besides its module's own classes.
    SUITE_CLASSPATH=$target/test-classes:$target/classes:$(<"$SUITE_CLASSPATH_FILE")
    SUITE_BINDS=()
    while read -r entry; do
        [[ $entry == "$PROJECT"/* ]] || SUITE_BINDS+=(--bind "$(dirname "$entry")")
    done < <(tr ':' '\n' <<<"$SUITE_CLASSPATH")
}
