package io.github.vfio4j.examples;

import io.github.vfio4j.PciAddress;
import java.util.Optional;

/**
 * The command line of {@code vfio}.
 *
 * @param command what to do
 * @param linux on this machine's kernel, not on the simulated one
 * @param overwrite blocks of a real disk may be overwritten
 * @param trace errors are printed with a stack trace
 * @param device the device to use
 */
record Arguments(Command command, boolean linux, boolean overwrite, boolean trace, Optional<PciAddress> device) {
    /** What {@code vfio} can do. */
    enum Command {
        HELP,
        DEMO,
        LIST
    }

    static Arguments parse(String... words) throws UsageException {
        Command command = null;
        boolean linux = false;
        boolean overwrite = false;
        boolean trace = false;
        PciAddress device = null;
        for (String word : words) {
            switch (word) {
                case "--help", "-h" -> command = Command.HELP;
                case "--linux" -> linux = true;
                case "--overwrite" -> overwrite = true;
                case "--trace" -> trace = true;
                default -> {
                    if (word.startsWith("-")) {
                        throw new UsageException("unknown option " + word);
                    } else if (command == null) {
                        command = command(word);
                    } else if (command == Command.DEMO && device == null) {
                        device = address(word);
                    } else if (command != Command.HELP) {
                        throw new UsageException("unexpected argument " + word);
                    }
                }
            }
        }
        if (command == null) {
            throw new UsageException("no command");
        }
        if (overwrite && command == Command.LIST) {
            throw new UsageException("list takes no --overwrite");
        }
        return new Arguments(command, linux, overwrite, trace, Optional.ofNullable(device));
    }

    private static Command command(String word) throws UsageException {
        return switch (word) {
            case "help" -> Command.HELP;
            case "demo" -> Command.DEMO;
            case "list" -> Command.LIST;
            default -> throw new UsageException("unknown command " + word);
        };
    }

    private static PciAddress address(String word) throws UsageException {
        try {
            return PciAddress.parse(word);
        } catch (IllegalArgumentException e) {
            throw new UsageException(e.getMessage());
        }
    }
}
