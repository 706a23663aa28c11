package io.github.vfio4j.examples;

import io.github.vfio4j.OpenedBy;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.examples.edu.EduException;
import io.github.vfio4j.examples.net.NetException;
import io.github.vfio4j.examples.nvme.NvmeException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/** The {@code vfio} command. Exit status: 0 done, 1 it failed, 2 the command line is wrong. */
public final class Main {
    private static final int DONE = 0;
    private static final int FAILED = 1;
    private static final int WRONG_USAGE = 2;

    private static final String USAGE =
            """
            usage: vfio COMMAND [OPTION]...

            commands
              demo [BDF]    Drives an NVMe controller that is bound to vfio-pci, the first one or the one at BDF
                            (such as 0000:06:0d.0): prints each VFIO operation, identifies the controller, writes
                            a pattern to its blocks, reads it back and compares every byte.
              list          Lists the PCI devices with their drivers, IOMMU groups and group members, and says which
                            members keep a group from programs.
              bind BDF...   Binds the devices to vfio-pci (with --linux as root), until unbind. Of a group, all members
                            that have host drivers must be named; vfio list shows them.
              unbind BDF... Gives the devices back to their host drivers.
              nvme identify [BDF]
                            Prints what an NVMe controller says of itself and of its namespaces.
              nvme read [BDF] [--block N] [--count N] [--file PATH]
                            Reads blocks of the first namespace and prints them, or puts them into a file.
              nvme write [BDF] [--block N] --file PATH
                            Writes a file to blocks of the first namespace and compares what is there then.
              nvme perf [BDF] [--operations N] [--queues N] [--depth N] [--bytes N] [--interrupts] [--seed N]
                            [--raw]
                            Reads and writes random blocks from one thread a queue, --depth commands at a time,
                            and compares every byte. With --raw it only reads, and compares nothing.
              edu [BDF]     Drives QEMU's edu device: factorials by interrupt, DMA there and back, compared.
              l2fwd [BDF [BDF]] [--seconds N]
                            Forwards packets between two network cards, or back out of one, and counts them.
              l2fwd --verify [PORT PEER [PORT PEER]] [--packets N] [--bytes N] [--flood] [--seed N]
                            The same between cards whose wires end in other cards of this machine, from which it
                            sends numbered packets and checks each that comes back. With --flood it sends more than
                            the rings hold, and only counts what they drop and what comes late.
              drivers       Runs every driver here for a while, on the emulated devices of the VM or the simulated
                            machine: edu, nvme perf, l2fwd --verify, drill. Ends at the first that fails.
              drill [--rounds N]
                            Closes devices and memory while every driver here is at work in threads of its own, and
                            checks that each thread gets an exception and ends. Overwrites blocks of the emulated
                            NVMe controller.

            options
              --linux       on this machine's kernel; otherwise on a simulated machine
              --cdev        open devices by their own nodes and an iommufd (/dev/vfio/devices, /dev/iommu)
              --group       open devices through their groups; without either, as the kernel offers (demo: --group)
              --overwrite   let demo and nvme overwrite blocks of a controller that is not emulated
              --trace       print errors with a stack trace
              --help        print this
            """;

    /** What {@code vfio drivers} runs: short on a simulated machine and in a VM alike. */
    private static final List<String> DRIVERS = List.of(
            "edu",
            "nvme identify",
            "nvme perf --operations 10000",
            "nvme perf --operations 5000 --queues 2 --depth 8 --interrupts",
            "l2fwd --verify --packets 10000",
            "l2fwd --verify --packets 10000 --bytes 64 --flood",
            "drill --rounds 4");

    private final PrintStream out;
    private final PrintStream err;

    Main(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    /**
     * Runs a command and ends the program with its status.
     *
     * @param words the command line
     */
    public static void main(String[] words) {
        System.exit(new Main(System.out, System.err).run(words));
    }

    int run(String... words) {
        Arguments arguments;
        try {
            arguments = Arguments.parse(words);
        } catch (UsageException e) {
            err.println("vfio: " + e.getMessage());
            err.println("Try vfio --help.");
            return WRONG_USAGE;
        }
        if (arguments.command() == Arguments.Command.HELP) {
            out.print(USAGE);
            return DONE;
        }
        if (arguments.command() == Arguments.Command.DRIVERS) {
            return runDrivers(arguments);
        }
        Supplier<Vfio> opener = arguments.linux() ? Vfio::open : DemoMachine::open;
        try (Vfio vfio = opener.get()) {
            switch (arguments.command()) {
                case DEMO -> {
                    long seed = new SplittableRandom().nextLong();
                    new Demo(vfio, out, seed, arguments.overwrite()).run(arguments.device(), arguments.way().orElse(OpenedBy.GROUP));
                }
                case LIST -> new DeviceList(vfio, out).print();
                case DRILL -> new Drill(opener, out, arguments).run();
                case BIND -> new BindCommands(vfio, out).bind(arguments.devices());
                case UNBIND -> new BindCommands(vfio, out).unbind(arguments.devices());
                case EDU -> new EduCommand(vfio, out, arguments).run();
                case L2FWD -> new L2fwdCommand(vfio, out, arguments).run();
                case NVME -> new NvmeCommands(vfio, out, arguments).run();
                case DRIVERS, HELP -> throw new AssertionError();
            }
            return DONE;
        } catch (VfioException | NvmeException | NetException | EduException | CommandException e) {
            out.flush();
            if (arguments.trace()) {
                e.printStackTrace(err);
            } else {
                err.println("vfio: " + e.getMessage());
            }
            return FAILED;
        }
    }

    /** Runs each of the commands that verify a driver; the first that fails is the last. */
    private int runDrivers(Arguments arguments) {
        for (String line : DRIVERS) {
            out.println("vfio " + line);
            List<String> words = new ArrayList<>(List.of(line.split(" ")));
            if (arguments.linux()) {
                words.add("--linux");
            }
            if (arguments.trace()) {
                words.add("--trace");
            }
            words.addAll(arguments.flags()); // the way, since drivers itself has no options
            int status = run(words.toArray(String[]::new));
            if (status != DONE) {
                return status;
            }
            out.println();
        }
        return DONE;
    }
}
