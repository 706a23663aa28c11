package io.github.vfio4j.examples;

import io.github.vfio4j.Device;
import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The command line of {@code vfio}.
 *
 * @param command what to do
 * @param verb what to do of that, for a command that has several things to do
 * @param linux on this machine's kernel, not on the simulated one
 * @param overwrite blocks of a real disk may be overwritten
 * @param trace errors are printed with a stack trace
 * @param devices the devices to use, as many as were named
 * @param flags other options without a value, such as {@code --interrupts}
 * @param values options with a value, by name, such as {@code --depth}
 */
record Arguments(
        Command command,
        Optional<String> verb,
        boolean linux,
        boolean overwrite,
        boolean trace,
        List<PciAddress> devices,
        Set<String> flags,
        Map<String, String> values) {
    private static final String CDEV = "--cdev";
    private static final String GROUP = "--group";
    private static final Set<String> ANYWHERE = Set.of("--linux", "--trace", CDEV, GROUP);

    /** What {@code vfio} can do, and which words it takes for that. */
    enum Command {
        HELP(0, List.of(), Set.of(), Set.of()),
        DEMO(1, List.of(), Set.of("--overwrite"), Set.of()),
        LIST(0, List.of(), Set.of(), Set.of()),
        BIND(Integer.MAX_VALUE, List.of(), Set.of(), Set.of()),
        UNBIND(Integer.MAX_VALUE, List.of(), Set.of(), Set.of()),
        NVME(
                1,
                List.of("identify", "read", "write", "perf"),
                Set.of("--overwrite", "--interrupts", "--raw"),
                Set.of("--block", "--count", "--file", "--bytes", "--depth", "--queues", "--operations", "--seed")),
        DRIVERS(0, List.of(), Set.of(), Set.of()),
        DRILL(0, List.of(), Set.of(), Set.of("--rounds")),
        EDU(1, List.of(), Set.of(), Set.of("--seed")),
        L2FWD(
                4,
                List.of(),
                Set.of("--verify", "--flood"),
                Set.of("--packets", "--bytes", "--seed", "--seconds"));

        private final int devices;
        private final List<String> verbs;
        private final Set<String> flags;
        private final Set<String> values;

        Command(int devices, List<String> verbs, Set<String> flags, Set<String> values) {
            this.devices = devices;
            this.verbs = verbs;
            this.flags = flags;
            this.values = values;
        }

        String word() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /** Returns the device to use, if one was named. */
    Optional<PciAddress> device() {
        return devices.stream().findFirst();
    }

    /** Returns the value of an option that is a number. */
    long number(String option, long otherwise, long least, long most) {
        String text = values.get(option);
        if (text == null) {
            return otherwise;
        }
        long value;
        try {
            value = Long.decode(text);
        } catch (NumberFormatException e) {
            throw new CommandException("%s takes a number, not %s".formatted(option, text));
        }
        if (value < least || value > most) {
            throw new CommandException("%s is from %d to %d, not %d".formatted(option, least, most, value));
        }
        return value;
    }

    /** Returns the way on which to open devices, if one was named. */
    Optional<OpenedBy> way() {
        return flags.contains(CDEV)
                ? Optional.of(OpenedBy.CDEV)
                : flags.contains(GROUP) ? Optional.of(OpenedBy.GROUP) : Optional.empty();
    }

    /** Opens a device on the way that was named, else on the one that the kernel offers. */
    Device open(Vfio vfio, PciAddress address) {
        return vfio.openDevice(address, way().orElseGet(() -> vfio.wayTo(address)));
    }

    static Arguments parse(String... words) throws UsageException {
        boolean help = false;
        Command command = null;
        String verb = null;
        List<PciAddress> devices = new ArrayList<>();
        List<String> options = new ArrayList<>();
        Map<String, String> values = new HashMap<>();
        for (int i = 0; i < words.length; i++) {
            String word = words[i];
            if (word.equals("--help") || word.equals("-h") || word.equals("help")) {
                help = true;
            } else if (takesValue(word)) {
                if (++i == words.length) {
                    throw new UsageException(word + " needs a value");
                }
                values.put(word, words[i]);
            } else if (word.startsWith("-")) {
                options.add(word);
            } else if (help) {
                continue; // of what follows nothing matters
            } else if (command == null) {
                command = command(word);
            } else if (verb == null && command.verbs.contains(word)) {
                verb = word;
            } else if (verb == null && !command.verbs.isEmpty()) {
                throw new UsageException("vfio %s does one of %s, not %s"
                        .formatted(command.word(), String.join(", ", command.verbs), word));
            } else if (devices.size() < command.devices) {
                devices.add(address(word));
            } else {
                throw new UsageException("unexpected argument " + word);
            }
        }
        if (help) {
            command = Command.HELP;
        } else if (command == null) {
            throw new UsageException("no command");
        } else {
            check(command, options, values);
            if (verb == null && !command.verbs.isEmpty()) {
                throw new UsageException(
                        "vfio %s does one of %s".formatted(command.word(), String.join(", ", command.verbs)));
            }
        }
        Set<String> flags = new HashSet<>(options);
        return new Arguments(
                command,
                Optional.ofNullable(verb),
                flags.remove("--linux"),
                flags.remove("--overwrite"),
                flags.remove("--trace"),
                List.copyOf(devices),
                Set.copyOf(flags),
                Map.copyOf(values));
    }

    /** Is this an option of some command that a value follows? */
    private static boolean takesValue(String word) {
        for (Command command : Command.values()) {
            if (command.values.contains(word)) {
                return true;
            }
        }
        return false;
    }

    private static void check(Command command, List<String> options, Map<String, String> values)
            throws UsageException {
        for (String option : options) {
            if (!ANYWHERE.contains(option) && !command.flags.contains(option)) {
                throw known(option) ? notFor(command, option) : new UsageException("unknown option " + option);
            }
        }
        if (options.contains(CDEV) && options.contains(GROUP)) {
            throw new UsageException(CDEV + " or " + GROUP + ", not both");
        }
        for (String option : values.keySet()) {
            if (!command.values.contains(option)) {
                throw notFor(command, option);
            }
        }
    }

    private static boolean known(String flag) {
        for (Command command : Command.values()) {
            if (command.flags.contains(flag)) {
                return true;
            }
        }
        return false;
    }

    private static UsageException notFor(Command command, String option) {
        return new UsageException(command.word() + " takes no " + option);
    }

    private static Command command(String word) throws UsageException {
        for (Command command : Command.values()) {
            if (command.word().equals(word)) {
                return command;
            }
        }
        throw new UsageException("unknown command " + word);
    }

    private static PciAddress address(String word) throws UsageException {
        try {
            return PciAddress.parse(word);
        } catch (IllegalArgumentException e) {
            throw new UsageException(e.getMessage());
        }
    }
}
