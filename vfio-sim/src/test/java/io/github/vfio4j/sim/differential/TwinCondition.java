package io.github.vfio4j.sim.differential;

import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Lets a test run where the machine has what its simulated twin is made of. */
final class TwinCondition implements ExecutionCondition {
    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
        return TwinMachine.isHere()
                ? ConditionEvaluationResult.enabled("the machine has a twin")
                : ConditionEvaluationResult.disabled(
                        "no device is behind the bridge (vm/machine.sh has none there with a virtio-iommu)");
    }
}
