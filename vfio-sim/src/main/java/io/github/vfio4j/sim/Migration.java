package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_feature_mig_data_size;
import io.github.vfio4j.ffm.gen.vfio_device_feature_mig_state;
import io.github.vfio4j.ffm.gen.vfio_device_feature_migration;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The migration of a mediated device: its state, the file that the state travels through, and the log of what it writes.
 * An opened device runs; closing it ends the file. Guarded by the device's lock.
 */
final class Migration {
    private static final long DATA = FeatureCall.DATA;

    private final EmulatedDevice device;
    private int state = VFIO_DEVICE_STATE_RUNNING();
    private MigrationFile file; // the one in use; null for none

    Migration(EmulatedDevice device) {
        this.device = device;
    }

    /** VFIO_DEVICE_FEATURE; the device's lock is held. */
    int call(SimProcess caller, UserMemory argument) {
        FeatureCall call = FeatureCall.of(caller, argument);
        KernelProfile kernel = device.machine().profile();
        boolean movable = device.model.save().isPresent() && !kernel.isBefore(KernelProfile.V6_12);
        int number = call.number();
        boolean ofPreCopy = number == VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2() && !kernel.isBefore(KernelProfile.V7_2);
        if (!movable) {
            throw new KernelError(ofPreCopy ? Errno.EINVAL : Errno.ENOTTY);
        }
        if (number == VFIO_DEVICE_FEATURE_MIGRATION()) {
            return flags(call);
        } else if (number == VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE()) {
            return state(call);
        } else if (number == VFIO_DEVICE_FEATURE_MIG_DATA_SIZE()) {
            return size(call);
        } else if (number == VFIO_DEVICE_FEATURE_DMA_LOGGING_START()) {
            return DmaLog.start(device.machine().profile(), call);
        } else if (number == VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP()) {
            return DmaLog.stop(call);
        } else if (number == VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT()) {
            return DmaLog.report(call);
        } else if (ofPreCopy) {
            call.checked(VFIO_DEVICE_FEATURE_SET(), 0); // no estimate of a model's begins anew, so there is nothing to tell
            return 0;
        }
        throw new KernelError(Errno.ENOTTY);
    }

    private static int flags(FeatureCall call) {
        long size = vfio_device_feature_migration.sizeof();
        if (call.checked(VFIO_DEVICE_FEATURE_GET(), size)) {
            MemorySegment answer = UserMemory.zeroed(size);
            vfio_device_feature_migration.flags(answer, VFIO_MIGRATION_STOP_COPY() | VFIO_MIGRATION_P2P() | VFIO_MIGRATION_PRE_COPY());
            call.argument().write(DATA, answer, size);
        }
        return 0;
    }

    private int size(FeatureCall call) {
        long size = vfio_device_feature_mig_data_size.sizeof();
        if (call.checked(VFIO_DEVICE_FEATURE_GET(), size)) {
            MemorySegment answer = UserMemory.zeroed(size);
            vfio_device_feature_mig_data_size.stop_copy_length(answer, saved().length);
            call.argument().write(DATA, answer, size);
        }
        return 0;
    }

    // ---- VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE

    private int state(FeatureCall call) {
        long size = vfio_device_feature_mig_state.sizeof();
        if (!call.checked(VFIO_DEVICE_FEATURE_GET() | VFIO_DEVICE_FEATURE_SET(), size)) {
            return 0;
        }
        MemorySegment argument = UserMemory.zeroed(size);
        call.argument().read(DATA, argument, size);
        int wanted = vfio_device_feature_mig_state.device_state(argument);
        vfio_device_feature_mig_state.data_fd(argument, -1);
        if (call.get()) {
            vfio_device_feature_mig_state.device_state(argument, state);
        } else {
            try {
                MigrationFile opened = change(wanted);
                if (opened != null) {
                    vfio_device_feature_mig_state.data_fd(argument, install(call.caller(), opened));
                }
            } catch (KernelError e) {
                call.argument().write(DATA, argument, size); // with -1 for the file
                throw e;
            }
        }
        call.argument().write(DATA, argument, size);
        return 0;
    }

    private int install(SimProcess caller, MigrationFile opened) {
        device.machine().kernel().lock();
        try {
            return caller.files().add(opened);
        } finally {
            device.machine().kernel().unlock();
        }
    }

    /** Walks to a state. Returns the file that the last step opened; null for none. */
    private MigrationFile change(int wanted) {
        check(wanted);
        MigrationFile opened = null;
        while (state != wanted) {
            opened = step(towards(wanted));
        }
        return opened;
    }

    private void check(int wanted) {
        KernelError.check(device.machine().profile(), Operation.MIG_DEVICE_STATE, new Facts() {
            @Override
            public boolean migrationStateSupported() {
                return wanted >= VFIO_DEVICE_STATE_STOP() && wanted <= VFIO_DEVICE_STATE_PRE_COPY_P2P();
            }

            @Override
            public boolean migrationStateReachable() {
                boolean copied = state == VFIO_DEVICE_STATE_STOP_COPY();
                return state != VFIO_DEVICE_STATE_ERROR() && !(copied && preCopies(wanted));
            }
        });
    }

    private static boolean preCopies(int state) {
        return state == VFIO_DEVICE_STATE_PRE_COPY() || state == VFIO_DEVICE_STATE_PRE_COPY_P2P();
    }

    /**
     * The next state on the way: RUNNING and RUNNING_P2P and STOP lie in a row, with PRE_COPY beside the first and
     * PRE_COPY_P2P beside the second; RESUMING and STOP_COPY hang on STOP, and the latter on PRE_COPY_P2P, too.
     */
    private int towards(int wanted) {
        boolean preCopies = preCopies(wanted);
        if (state == VFIO_DEVICE_STATE_RUNNING()) {
            return wanted == VFIO_DEVICE_STATE_PRE_COPY() ? wanted : VFIO_DEVICE_STATE_RUNNING_P2P();
        } else if (state == VFIO_DEVICE_STATE_PRE_COPY()) {
            boolean onwards = preCopies || wanted == VFIO_DEVICE_STATE_STOP_COPY();
            return onwards ? VFIO_DEVICE_STATE_PRE_COPY_P2P() : VFIO_DEVICE_STATE_RUNNING();
        } else if (state == VFIO_DEVICE_STATE_PRE_COPY_P2P()) {
            boolean beside = preCopies || wanted == VFIO_DEVICE_STATE_STOP_COPY();
            return beside ? wanted : VFIO_DEVICE_STATE_RUNNING_P2P();
        } else if (state == VFIO_DEVICE_STATE_RUNNING_P2P()) {
            if (wanted == VFIO_DEVICE_STATE_RUNNING() || wanted == VFIO_DEVICE_STATE_PRE_COPY()) {
                return VFIO_DEVICE_STATE_RUNNING();
            }
            return preCopies ? wanted : VFIO_DEVICE_STATE_STOP();
        } else if (state == VFIO_DEVICE_STATE_STOP()) {
            boolean works = preCopies || wanted == VFIO_DEVICE_STATE_RUNNING();
            return works ? VFIO_DEVICE_STATE_RUNNING_P2P() : wanted;
        }
        return VFIO_DEVICE_STATE_STOP();
    }

    private MigrationFile step(int next) {
        if (state == VFIO_DEVICE_STATE_RESUMING()) {
            load();
        }
        boolean goesOn = preCopies(state) && (preCopies(next) || next == VFIO_DEVICE_STATE_STOP_COPY());
        state = next;
        if (goesOn) {
            file.show(shown());
            return null;
        }
        end();
        if (preCopies(next) || next == VFIO_DEVICE_STATE_STOP_COPY()) {
            file = new MigrationFile(device, shown());
        } else if (next == VFIO_DEVICE_STATE_RESUMING()) {
            file = new MigrationFile(device, saved().length);
        }
        return file;
    }

    /** Gives the device what came. With less than a whole state it goes on to resume. */
    private void load() {
        byte[] came = file.written();
        if (came.length < saved().length) {
            throw new KernelError(Errno.EINVAL);
        }
        if (!device.model.load(came)) {
            state = VFIO_DEVICE_STATE_ERROR();
            end();
            throw new KernelError(Errno.EINVAL);
        }
    }

    private byte[] saved() {
        return device.model.save().orElseThrow();
    }

    /** What of the device's state can be read now. */
    private byte[] shown() {
        byte[] all = saved();
        return preCopies(state) ? Arrays.copyOf(all, device.model.earlyBytes()) : all;
    }

    /** Is its state read while it works? */
    boolean preCopying() {
        return preCopies(state);
    }

    /** The device works again, whatever it did. */
    void reset() {
        end();
        state = VFIO_DEVICE_STATE_RUNNING();
    }

    /** The stream of the state before goes nowhere any more. */
    void end() {
        if (file != null) {
            file.disable();
            file = null;
        }
    }
}
