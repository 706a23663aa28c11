package io.github.vfio4j;

import io.github.vfio4j.spi.Facts;
import io.github.vfio4j.spi.FeaturePort;
import io.github.vfio4j.spi.MigrationPort;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * The move of a device's state to another machine (migration, version 2); from {@link Features#migration}. The state of
 * the device is changed step by step, and travels as a stream of bytes: out of a device in {@link
 * MigrationState#STOP_COPY} or pre-copy, into one in {@link MigrationState#RESUMING}. Safe from any thread.
 */
public final class Migration {
    private final Device device;
    private final FeaturePort port;
    private final Set<MigrationSupport> support;

    Migration(Device device, FeaturePort port, Set<MigrationSupport> support) {
        this.device = device;
        this.port = port;
        this.support = Set.copyOf(support);
    }

    /**
     * Returns what the device is able to do ({@code VFIO_DEVICE_FEATURE_MIGRATION}).
     *
     * @return its abilities
     */
    public Set<MigrationSupport> support() {
        return support;
    }

    /**
     * Asks for the device's state ({@code VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE}).
     *
     * @return the state
     * @throws RuleViolation if the device is closed
     */
    public MigrationState state() {
        device.checkOpen(Operation.MIG_DEVICE_STATE);
        return port.migrationState();
    }

    /**
     * Changes the device's state ({@code VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE}). The kernel walks through the states in
     * between. After a failure the device may be in one of these, or in {@link MigrationState#ERROR}: ask.
     *
     * @param next the state to go to
     * @return the stream of the device's state, if the change opened one: to {@link MigrationState#STOP_COPY} from
     *     {@link MigrationState#STOP}, to {@link MigrationState#PRE_COPY}, to {@link MigrationState#RESUMING}
     * @throws RuleViolation if the device lacks the state, it cannot be reached, or the device is closed
     * @throws VfioException what the device's driver fails with
     */
    public Optional<MigrationStream> change(MigrationState next) {
        Objects.requireNonNull(next, "next");
        device.lock().lock();
        try {
            device.checkOpen(Operation.MIG_DEVICE_STATE);
            MigrationState now = port.migrationState();
            Rule.check(device.vfio().contract(), Operation.MIG_DEVICE_STATE, new Facts() {
                @Override
                public boolean migrationStateSupported() {
                    return supports(next);
                }

                @Override
                public boolean migrationStateReachable() {
                    return now.leadsTo(next);
                }
            }, () -> now + " to " + next);
            Optional<MigrationPort> opened = port.setMigrationState(next);
            return opened.map(stream -> device.keep(new MigrationStream(device, stream)));
        } finally {
            device.lock().unlock();
        }
    }

    private boolean supports(MigrationState state) {
        return switch (state) {
            case RUNNING_P2P -> support.contains(MigrationSupport.P2P);
            case PRE_COPY -> support.contains(MigrationSupport.PRE_COPY);
            case PRE_COPY_P2P -> support.contains(MigrationSupport.P2P) && support.contains(MigrationSupport.PRE_COPY);
            default -> true;
        };
    }

    /**
     * Asks how much there would be to read with the device stopped ({@code VFIO_DEVICE_FEATURE_MIG_DATA_SIZE}).
     *
     * @return an estimate in bytes
     * @throws RuleViolation if the kernel does not tell, or the device is closed
     */
    public long dataSize() {
        device.features().check(Operation.MIG_DATA_SIZE, DeviceFeature.MIG_DATA_SIZE);
        return port.migrationDataSize();
    }

    /**
     * Asks to be told when the estimate of the initial bytes begins anew
     * ({@code VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2}; since Linux 7). Before pre-copy begins.
     *
     * @throws RuleViolation if the kernel or the device cannot, or the device is closed
     */
    public void tellReinit() {
        device.features().check(Operation.MIG_PRECOPY_INFO_V2, DeviceFeature.MIG_PRECOPY_INFO_V2);
        port.tellPrecopyReinit();
    }
}
