// The workloads as a user of Flink writes them, in one process with two slots: w1 (filter, project, sum up), w2 (sum by
// user in event-time windows as long as a batch of the others) and w4 (w1's rows to a topic, exactly once). Prints one
// line, RESULT and JSON. Arguments: workload, brokers, topic, output topic, run's name, folder, window in ms.
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;

public class FlinkPeer {
  @JsonIgnoreProperties(ignoreUnknown = true)
  public static class Payment {
    public long id;
    public String user;
    public double amount;
    public long ts;
  }

  public static class Row {
    public long id;
    public String user;
    public double amount;
  }

  static final AtomicLong firstRecordAtMs = new AtomicLong();
  static final LongAdder rows = new LongAdder(), ids = new LongAdder(), cents = new LongAdder();
  static final LongAdder userChars = new LongAdder();
  static final Set<String> users = ConcurrentHashMap.newKeySet();

  static class PaymentSchema extends AbstractDeserializationSchema<Payment> {
    private transient ObjectReader reader;

    PaymentSchema() {
      super(Payment.class);
    }

    @Override
    public void open(InitializationContext context) {
      reader = new ObjectMapper().readerFor(Payment.class);
    }

    @Override
    public Payment deserialize(byte[] bytes) throws IOException {
      if (firstRecordAtMs.get() == 0) firstRecordAtMs.compareAndSet(0, System.currentTimeMillis());
      return reader.readValue(bytes);
    }
  }

  static class RowSchema implements SerializationSchema<Row> {
    private transient ObjectWriter writer;

    @Override
    public void open(InitializationContext context) {
      writer = new ObjectMapper().writerFor(Row.class);
    }

    @Override
    public byte[] serialize(Row row) {
      try {
        return writer.writeValueAsBytes(row);
      } catch (IOException error) {
        throw new RuntimeException(error);
      }
    }
  }

  static Row project(Payment payment) {
    Row row = new Row();
    row.id = payment.id;
    row.user = payment.user;
    row.amount = payment.amount;
    return row;
  }

  static boolean count(Row row) {
    rows.increment();
    ids.add(row.id);
    cents.add(Math.round(row.amount * 100));
    userChars.add(row.user.length());
    return true;
  }

  static boolean countSum(Row sum) {
    users.add(sum.user);
    cents.add(Math.round(sum.amount * 100));
    return true;
  }

  static StreamExecutionEnvironment environment(String folder) {
    Configuration settings = new Configuration();
    settings.setString("execution.checkpointing.interval", "1 s");
    settings.setString("execution.checkpointing.dir", "file://" + folder);
    settings.setString("taskmanager.numberOfTaskSlots", "2");
    settings.setString("pipeline.object-reuse", "true");
    settings.setString("rest.port", "0");
    settings.setString("rest.bind-address", "127.0.0.1");
    settings.setString("rest.address", "127.0.0.1");
    settings.setString("taskmanager.memory.network.min", "128m");
    settings.setString("taskmanager.memory.network.max", "128m");
    settings.setString("taskmanager.memory.managed.size", "128m");
    return StreamExecutionEnvironment.createLocalEnvironment(2, settings);
  }

  static KafkaSink<Row> exactlyOnce(String brokers, String output, String run) {
    Properties producer = new Properties();
    producer.put("transaction.timeout.ms", "60000");
    producer.put("linger.ms", "20");
    producer.put("batch.size", "262144");
    SerializationSchema<Row> key = row -> row.user.getBytes(StandardCharsets.UTF_8);
    return KafkaSink.<Row>builder()
        .setBootstrapServers(brokers)
        .setKafkaProducerConfig(producer)
        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .setTransactionalIdPrefix(run)
        .setRecordSerializer(KafkaRecordSerializationSchema.<Row>builder()
            .setTopic(output)
            .setKeySerializationSchema(key)
            .setValueSerializationSchema(new RowSchema())
            .build())
        .build();
  }

  public static void main(String[] args) throws Exception {
    String workload = args[0], brokers = args[1], topic = args[2], output = args[3], run = args[4], folder = args[5];
    Duration window = Duration.ofMillis(Long.parseLong(args[6]));
    StreamExecutionEnvironment environment = environment(folder);
    KafkaSource<Payment> source = KafkaSource.<Payment>builder()
        .setBootstrapServers(brokers)
        .setTopics(topic)
        .setGroupId(run)
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setBounded(OffsetsInitializer.latest())
        .setValueOnlyDeserializer(new PaymentSchema())
        .build();
    if (workload.equals("w2")) {
      WatermarkStrategy<Payment> eventTime = WatermarkStrategy
          .<Payment>forMonotonousTimestamps()
          .withTimestampAssigner((payment, at) -> payment.ts);
      environment.fromSource(source, eventTime, "payments")
          .map(FlinkPeer::project).returns(Row.class)
          .keyBy(row -> row.user)
          .window(TumblingEventTimeWindows.of(window))
          .reduce((a, b) -> {
            Row sum = new Row();
            sum.user = a.user;
            sum.amount = a.amount + b.amount;
            return sum;
          })
          .filter(FlinkPeer::countSum)
          .sinkTo(new DiscardingSink<>());
    } else {
      DataStream<Row> large = environment.fromSource(source, WatermarkStrategy.noWatermarks(), "payments")
          .filter(payment -> payment.amount > 50)
          .map(FlinkPeer::project).returns(Row.class);
      if (workload.equals("w1")) large.filter(FlinkPeer::count).sinkTo(new DiscardingSink<>());
      else large.sinkTo(exactlyOnce(brokers, output, run));
    }
    long startedAtMs = System.currentTimeMillis();
    environment.execute(workload);
    long doneAtMs = System.currentTimeMillis();
    String digest = switch (workload) {
      case "w1" -> String.format("\"rows\":%d,\"ids\":%d,\"cents\":%d,\"userChars\":%d", rows.sum(), ids.sum(),
          cents.sum(), userChars.sum());
      case "w2" -> String.format("\"users\":%d,\"cents\":%d", users.size(), cents.sum());
      default -> "";
    };
    System.out.printf("RESULT {\"startedAtMs\":%d,\"firstRecordAtMs\":%d,\"doneAtMs\":%d,\"digest\":{%s}}%n",
        startedAtMs, firstRecordAtMs.get(), doneAtMs, digest);
    System.exit(0);
  }
}
